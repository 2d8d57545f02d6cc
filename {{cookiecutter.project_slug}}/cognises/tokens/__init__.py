"""Token verification, without Flask: a token in, its claims out, or a refusal."""
