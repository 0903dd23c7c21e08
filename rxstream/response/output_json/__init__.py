"""The JSON that an answer holds."""
