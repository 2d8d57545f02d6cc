"""The door for servers: `flask run` and `gunicorn wsgi:app`."""

from app import create_app

app = create_app()
