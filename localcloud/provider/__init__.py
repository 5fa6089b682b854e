"""The AWS provider of the local cloud: `pulumi-resource-aws` over boto3. README.md says how to add a type."""
