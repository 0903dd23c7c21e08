"""The response of a stream: its versions, and the events that close it."""
