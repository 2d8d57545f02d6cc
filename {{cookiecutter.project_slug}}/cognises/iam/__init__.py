"""IAM policies: their grammar, their risks, and the names AWS knows. Standard library only."""
