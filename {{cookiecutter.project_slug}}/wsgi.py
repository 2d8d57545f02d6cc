"""The door for servers: `flask run`, and any WSGI server as `wsgi:app`."""

from app import create_app

app = create_app()
