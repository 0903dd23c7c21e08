"""Frames over a WebSocket: many responses over one connection."""
