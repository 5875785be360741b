"""Series: windows of points, and how long they are."""
