"""Splits text that arrives in pieces into whole graphemes, words, sentences and lines. Independent of the API."""
