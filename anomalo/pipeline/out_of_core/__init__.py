"""Fits of tables that do not fit into memory: rows on disk, a sample of them, and what the sample must not miss."""
