"""Tests of the limiter: its decisions alone, the whole of it over a table in memory, and over real engines."""
