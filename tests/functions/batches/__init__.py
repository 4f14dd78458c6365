"""Tests of the HTTP routes of batches."""
