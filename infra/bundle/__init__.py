"""What the functions run, made without Docker: the same inputs give the same bytes."""
