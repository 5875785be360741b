"""The networks of image generators: one family a file, each with its paper."""
