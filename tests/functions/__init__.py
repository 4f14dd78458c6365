"""Mirrors functions/."""
