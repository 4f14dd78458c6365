"""The routes, one file a resource: parse, call one operation, shape the reply."""
