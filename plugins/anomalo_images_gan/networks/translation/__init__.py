"""Networks that translate images of one domain into another."""
