"""Tests of the batches' pure half: files in, requests, files out."""
