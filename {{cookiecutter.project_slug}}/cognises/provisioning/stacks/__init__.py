"""CloudFormation stacks, changed by change sets that are shown first."""
