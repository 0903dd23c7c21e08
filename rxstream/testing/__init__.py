"""The test kit: a local Responses API server, marbles, builders and laws."""
