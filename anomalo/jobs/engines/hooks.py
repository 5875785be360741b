"""The engine that anomalo itself provides: processes of this machine."""

from __future__ import annotations

from collections.abc import Iterable

from anomalo.registry.engine import Engine
from anomalo.registry.hookspecs import hookimpl


@hookimpl
def anomalo_engines() -> Iterable[type[Engine]]:
    """Offer the local engine."""
    from anomalo.jobs.engines.local import LocalEngine

    return [LocalEngine]
