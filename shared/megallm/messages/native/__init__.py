"""Our own format spoken by the upstream: its bodies, replies and events, changed only where they must be."""
