"""Browser sign-in over Cognito's managed login: authorization code with PKCE (RFC 6749, 7636).

app = Flask(...)
sign_in(app)       # /login, /callback, /logout, /session/refresh
Cognises(app)
"""

from cognises.signin.blueprint import sign_in as sign_in
