"""Handlers that a plugin attaches to a training: one that raises is left out from then on, and training continues."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from anomalo.models.guard import INTERRUPTION

Report = Callable[[BaseException], None]


@contextmanager
def guarded_handlers(engine: Any, report: Report) -> Iterator[None]:
    """Guard every handler that is attached to an Ignite engine inside: by `add_event_handler`, `on` or an object.

    Parameters
    ----------
    engine : ignite.engine.Engine
        Its method is replaced until the end of the `with` block.
    report : callable
        Called with what a handler raised.
    """
    attach = getattr(engine, "add_event_handler", None)
    if attach is None:
        yield
        return

    def add_event_handler(event: Any, handler: Callable[..., Any], *args: Any, **options: Any) -> Any:
        guarded = handler if isinstance(handler, GuardedHandler) else GuardedHandler(handler, report)
        return attach(event, guarded, *args, **options)

    engine.add_event_handler = add_event_handler
    try:
        yield
    finally:
        del engine.add_event_handler


class GuardedHandler:
    """A handler that is called until it raises; equal to the handler itself, so that Ignite finds and removes it.

    Parameters
    ----------
    handler : callable
        The plugin's.
    report : callable
        Called with what it raised, once.
    """

    def __init__(self, handler: Callable[..., Any], report: Report) -> None:
        functools.update_wrapper(
            self, handler, updated=()
        )  # Ignite reads the signature, to see whether it takes the engine
        self.handler, self.report, self.failed = handler, report, False

    def __call__(self, *args: Any, **options: Any) -> None:
        """Call the handler, unless it has failed before."""
        if self.failed:
            return
        try:
            self.handler(*args, **options)
        except BaseException as error:  # SystemExit too
            INTERRUPTION.require_none(error)
            if isinstance(error, MemoryError):
                raise
            self.failed = True
            self.report(error)
        INTERRUPTION.require_none()

    def __eq__(self, other: object) -> bool:
        return self.handler == (other.handler if isinstance(other, GuardedHandler) else other)

    def __hash__(self) -> int:
        return hash(self.handler)
