"""Models of images without networks."""
