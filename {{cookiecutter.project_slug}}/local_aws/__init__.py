"""An embedded Cognito (moto, on loopback) for `make demo` and `make dev`. Never deployed."""
