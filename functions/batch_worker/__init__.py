"""Parts of batches become results."""
