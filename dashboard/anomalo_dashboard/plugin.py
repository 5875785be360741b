"""The dashboard as a plugin: it gives its own pages by the hook that anybody's pages come in by."""

from collections.abc import Iterable
from pathlib import Path

from anomalo.plugin import hookimpl

PAGES = ("start", "overview", "alerts", "row", "embedding_map", "repairs", "synthesize", "models", "plugins")
"""In the order of the menu; the first one is where the dashboard opens."""


@hookimpl
def anomalo_pages() -> Iterable[Path]:
    """Give the built-in pages."""
    return [Path(__file__).with_name("views") / f"{name}.py" for name in PAGES]
