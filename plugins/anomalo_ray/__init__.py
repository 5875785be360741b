"""The engine `ray`: parts of a job are tasks of a Ray cluster, or of a local one."""

from collections.abc import Iterable

from anomalo.plugin import Engine, hookimpl


@hookimpl
def anomalo_engines() -> Iterable[type[Engine]]:
    """Offer the engine."""
    from anomalo_ray.engine import RayEngine

    return [RayEngine]
