"""The request side: guards, decisions and the principal, on Flask."""
