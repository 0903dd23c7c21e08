"""Incremental JSON: lexer, parser, tree, paths, elements. Knows nothing of the API.

Ours, because ijson returns a string only when it is whole, and jiter's `partial_mode` reads the whole text so far again
for each piece.
"""
