"""Breaks: no such hook."""

from anomalo.plugin import hookimpl


@hookimpl
def anomalo_modles():
    return []
