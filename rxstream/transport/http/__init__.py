"""Frames over HTTP."""
