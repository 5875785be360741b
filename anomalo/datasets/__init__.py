"""Bundled real data; see ATTRIBUTION.md beside it."""
