"""The Messages API as types and pure functions: requests, blocks, events, replies, SSE.

Knows nothing of HTTP servers, providers or AWS, and does no I/O.
"""
