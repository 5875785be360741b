"""The command line: parses, calls a job and prints, and imports nothing heavy before a verb runs."""

from anomalo.cli.app import main

__all__ = ["main"]
