"""An upstream that misbehaves on purpose: real TCP, four dialects, named faults, and gateways that call it."""
