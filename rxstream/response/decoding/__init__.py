"""Frames to events, and the dialect of each server to the API's own."""
