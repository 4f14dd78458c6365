"""A small model in this process, through llama.cpp."""
