"""Groups: from groups.json to IAM roles and Cognito groups."""
