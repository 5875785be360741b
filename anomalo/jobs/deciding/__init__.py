"""Jobs that change the cells that people decided to change, and no others."""
