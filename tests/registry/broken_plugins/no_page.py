"""Breaks: of five pages that it gives, one is a page."""

from pathlib import Path

from anomalo.plugin import hookimpl


@hookimpl
def anomalo_pages():
    here = Path(__file__)
    return [here.with_name("absent.py"), here.parent, here, str(here), next(here.parent.glob("*.dist-info/METADATA"))]
