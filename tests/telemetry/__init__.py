"""The metrics in the log: that CloudWatch finds them there, and that they say what was done."""
