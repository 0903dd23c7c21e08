"""The rxstream command."""
