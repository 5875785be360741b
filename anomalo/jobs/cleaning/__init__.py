"""Jobs that find and repair the wrong cells of tables."""
