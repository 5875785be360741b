"""The command line: parses, calls a job, prints. Nothing heavy is imported before a verb runs."""

from anomalo.cli.app import main

__all__ = ["main"]
