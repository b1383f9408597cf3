"""Adapters for AWS: S3, DynamoDB, Secrets Manager, Step Functions, CloudWatch. Only bootstrap.aws imports them."""
