"""JSON while it is being written: lexer, parser, tree, paths, elements. Knows nothing of the API."""
