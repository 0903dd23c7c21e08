"""Answers of the API, each by one small function."""
