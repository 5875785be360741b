"""What the page Row shows beside the cells: their distributions, normal rows like it, and its earlier scores."""
