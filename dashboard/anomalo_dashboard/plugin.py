"""The dashboard as a plugin: it adds the built-in pages through the hook that every plugin can use."""

from collections.abc import Iterable
from pathlib import Path

from anomalo.plugin import hookimpl

PAGES = (
    *("start", "overview", "alerts", "row", "embedding_map"),
    *("repairs", "feedback", "synthesize", "models", "plugins"),
)
"""The pages in the order of the menu; the dashboard opens with the first one."""


@hookimpl
def anomalo_pages() -> Iterable[Path]:
    """Return the built-in pages."""
    return [Path(__file__).with_name("views") / f"{name}.py" for name in PAGES]
