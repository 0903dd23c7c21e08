"""Text in pieces to whole graphemes, words, sentences and lines. Knows nothing of the API."""
