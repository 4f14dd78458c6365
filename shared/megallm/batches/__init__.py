"""Bulk jobs, the pure half: what a batch is, what its files look like, and the templates that make requests of rows."""
