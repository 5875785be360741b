"""The revisions of the workspace's tables, in the order of their numbers."""
