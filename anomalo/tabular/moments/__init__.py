"""Points in time: what is derived from them, and how it is said."""
