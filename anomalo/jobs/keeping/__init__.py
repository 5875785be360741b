"""Jobs that look after what a workspace keeps: removal, export and import."""
