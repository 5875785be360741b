"""Several files that are one table: a folder or glob of them, with hive partitions."""
