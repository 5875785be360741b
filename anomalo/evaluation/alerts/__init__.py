"""What the alerts of a run have in common: incidents of alerts with the same reasons, and over-represented values."""
