"""Runs of images on the pages: thumbnails, heat maps over images, what masks hid, and folders to learn from."""
