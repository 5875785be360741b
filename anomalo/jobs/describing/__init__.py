"""Jobs that describe a table: its columns, and its rows as codes."""
