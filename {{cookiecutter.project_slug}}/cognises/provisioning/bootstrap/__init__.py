"""The stack of infra/cognito.yaml, and its ids in `.env`."""
