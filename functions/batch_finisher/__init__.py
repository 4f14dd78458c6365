"""Finished parts become result files; each minute, what was lost goes on."""
