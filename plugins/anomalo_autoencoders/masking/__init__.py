"""Autoencoders that predict hidden cells from the visible ones."""
