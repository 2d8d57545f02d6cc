"""The edge: boto3 clients, reading AWS in bulk, and the one place that writes groups and roles."""
