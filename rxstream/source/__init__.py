"""Frames become an Observable: sessions, tasks, disposal, endings."""
