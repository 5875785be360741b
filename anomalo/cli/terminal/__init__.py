"""The terminal: what is printed, as tables, messages, JSON and progress."""
