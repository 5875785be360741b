"""Diffusion of images: the denoising network and the model."""
