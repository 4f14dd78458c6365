"""The stack that `make deploy` puts into an AWS account, as Python CDK; knows the package's names, never its code."""
