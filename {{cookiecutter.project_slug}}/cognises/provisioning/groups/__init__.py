"""Groups: from groups.json to IAM roles and Cognito groups.

model, compare, read -> plan, checks, changes, planner -> apply, commands, create_update
"""
