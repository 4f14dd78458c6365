"""The bundle: its steps, and the whole of it as Lambda gets it."""
