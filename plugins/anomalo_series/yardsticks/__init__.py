"""Models of series without a network."""
