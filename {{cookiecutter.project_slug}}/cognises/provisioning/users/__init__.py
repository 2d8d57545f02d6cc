"""The pool's users: read, created, imported and changed."""
