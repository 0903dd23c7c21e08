"""JSON while it is being written: lexer, parser, tree, paths, elements. Knows nothing of the API.

Ours, because ijson gives a string only when it is whole, and jiter's `partial_mode` reads the text so far from its
beginning for each piece.
"""
