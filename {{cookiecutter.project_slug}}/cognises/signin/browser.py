"""Deprecated name, for projects made from 0.1.0: use `cognises.web`. Removed in 0.3.0."""

from cognises.web import prefers_html as prefers_html
