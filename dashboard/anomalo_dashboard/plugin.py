"""The dashboard as a plugin: it adds the built-in pages through the hook that every plugin can use."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from anomalo.plugin import ReadOptions, hookimpl
from anomalo_dashboard.security import named

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

PAGES = (
    *("start", "overview", "alerts", "row", "embedding_map", "repairs", "feedback"),
    *("synthesize", "models", "jobs", "plugins"),
)
"""The pages in the order of the menu; the dashboard opens with the first one."""


@hookimpl
def anomalo_pages() -> Iterable[Path]:
    """Return the built-in pages."""
    return [Path(__file__).with_name("views") / f"{name}.py" for name in PAGES]


@hookimpl
def anomalo_read(source: str, options: ReadOptions) -> "Iterator[pa.RecordBatch] | None":
    """Read a table that was named when the dashboard was started."""
    return named.read(source, options)
