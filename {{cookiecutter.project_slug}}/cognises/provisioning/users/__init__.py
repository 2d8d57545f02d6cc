"""The pool's users: read, made, changed."""
