"""Autoencoders whose code is too narrow to copy the row."""
