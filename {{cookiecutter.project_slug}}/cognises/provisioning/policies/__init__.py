"""The least-privilege policies of whoever runs these commands."""
