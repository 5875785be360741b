"""Networks of windows."""
