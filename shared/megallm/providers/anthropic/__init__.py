"""Upstreams that speak the Messages API themselves: the request passes as it came, and so does the reply."""
