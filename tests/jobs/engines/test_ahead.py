"""Work ahead ends when its consumer does."""

from collections.abc import Iterator

import pytest

from anomalo.jobs.engines.ahead import ahead


def items(ends: list[str]) -> Iterator[int]:
    try:
        yield from range(10)
    finally:
        ends.append("closed")


def test_what_is_left_early_is_closed() -> None:
    ends: list[str] = []
    source = items(ends)  # held, so that nothing else closes it
    working = ahead(source)
    assert next(working) == 0
    working.close()  # type: ignore[attr-defined]
    assert ends == ["closed"]


def test_what_ends_in_an_error_of_its_consumer_is_closed() -> None:
    ends: list[str] = []
    source = items(ends)
    working = ahead(source)
    next(working)
    with pytest.raises(KeyboardInterrupt):
        working.throw(KeyboardInterrupt)  # type: ignore[attr-defined]
    assert ends == ["closed"]


def test_an_iterator_that_cannot_be_closed_is_fine() -> None:
    working = ahead(iter([1, 2, 3]))
    assert next(working) == 1
    working.close()  # type: ignore[attr-defined]
