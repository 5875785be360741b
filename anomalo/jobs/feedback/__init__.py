"""Jobs that learn from reviewed alerts."""
