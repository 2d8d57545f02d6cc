"""Manifest and observed state to a plan, and what the plan would call. Pure."""
