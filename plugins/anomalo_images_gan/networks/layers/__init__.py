"""Layers of image generators: one idea a file, each with its paper."""
