"""Decisions about admission; no I/O."""
