"""What models see of series: windows of points, and the folds of their training rows."""
