"""One folder a kind of upstream: pure translation, and one client that does the talking."""
