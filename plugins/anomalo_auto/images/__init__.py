"""The default model of images."""
