"""The moderator of a stream: the operator, the checks, and the machine below it."""
