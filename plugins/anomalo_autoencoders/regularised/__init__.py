"""Autoencoders with a wide code that a penalty or corruption of the input keeps from copying the row."""
