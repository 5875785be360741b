"""Series: windows of points, and what of windows belongs to a point."""
