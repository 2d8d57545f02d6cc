"""What `deploy` brings to AWS besides a stack: the function's package."""
