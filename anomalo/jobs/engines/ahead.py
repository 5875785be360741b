"""Prepare the next item while the current one is used: reading and encoding, one step ahead of the model."""

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TypeVar

Item = TypeVar("Item")

_END = object()


def ahead(items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items in order while the next one is prepared in another thread.

    Exceptions of `items` are raised where the failed item would be yielded. A generator is closed with this one.

    Examples
    --------
    >>> list(ahead(i * i for i in range(3)))
    [0, 1, 4]
    """
    source = iter(items)
    with ExitStack() as stack:
        if isinstance(source, Generator):
            stack.callback(source.close)
        pool = stack.enter_context(ThreadPoolExecutor(max_workers=1))
        pending = pool.submit(next, source, _END)
        while (item := pending.result()) is not _END:
            pending = pool.submit(next, source, _END)
            yield item  # type: ignore[misc]
