"""What the gateway does, one verb a file, over ports that others implement."""
