"""What decides whether a text may be shown."""
