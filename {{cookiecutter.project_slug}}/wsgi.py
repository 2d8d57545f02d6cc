"""The WSGI application: `flask run` and every WSGI server load `wsgi:app`."""

from app import create_app

app = create_app()
