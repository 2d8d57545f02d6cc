"""The pool's users: listed, created, imported, changed."""
