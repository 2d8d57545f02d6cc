"""gunicorn's worker for the container; gunicorn.conf.py names it."""
