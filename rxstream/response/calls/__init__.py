"""Function calls, and calls of every other tool."""
