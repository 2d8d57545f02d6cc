"""Whose role a user's ID token leads to."""
