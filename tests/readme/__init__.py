"""The README's snippets do what they say, as they are printed."""
