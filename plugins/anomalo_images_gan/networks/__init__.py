"""Networks that generate images and that distinguish them from real ones."""
