"""Diffusion of windows."""
