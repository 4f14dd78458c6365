"""The coverage table of docs/coverage.md: what every kind of upstream makes of every part of a request."""
