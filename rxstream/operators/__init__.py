"""Observable to Observable: the vocabulary, grouped by question."""
