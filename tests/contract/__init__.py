"""The official SDKs against the real app, over real sockets."""
