"""Marble diagrams that are run."""
