"""Rules of numbers that are computed from others."""
