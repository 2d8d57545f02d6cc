"""The service under load: gunicorn as a real process, signed tokens, and what goes wrong meanwhile.

`python -m load` measures and then torments it; the tests of `cognises.operation` run shorter turns.
The app is a small one of its own (`load/service`), so that yours may change freely.
"""
