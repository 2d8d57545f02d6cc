"""The CloudFormation templates, and the commands that deploy them; cognises loads these by name."""
