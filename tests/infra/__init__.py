"""The stack and the bundle of `make deploy`."""
