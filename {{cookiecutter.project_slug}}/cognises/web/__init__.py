"""The request side on Flask: guards, decisions, the principal and refusals."""

from cognises.web.responses import prefers_html as prefers_html
