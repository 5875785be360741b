"""Parts of a source of series get exactly the points that their windows reach, and few parts are held for that."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from anomalo.jobs.part import Part
from anomalo.jobs.series.surroundings import Surroundings, TimeOrder, survey
from anomalo.tabular.schema import Schema, SchemaOptions, infer

PART, REACH = 40, 5


def table(entities: list[str]) -> pa.Table:
    """A table whose rows are points of these series, each a second after the one before."""
    return pa.table({"at": np.arange(len(entities)), "who": entities, "value": np.arange(len(entities)) / 7})


def parts(source: pa.Table) -> Iterator[Part]:
    start = 0
    for batch in source.to_batches(PART):
        yield Part(np.arange(start, start + len(batch)), batch)
        start += len(batch)


def schema_of(source: pa.Table) -> Schema:
    return infer(source, SchemaOptions(time="at", entity="who"))


def values(batch: pa.RecordBatch | None) -> list[Any]:
    return [] if batch is None else batch.column("at").to_pylist()


ONE_AFTER_THE_OTHER = [name for name in "abcdefgh" for _ in range(95)]
MIXED = np.random.default_rng(0).choice(list("abc"), 400).tolist()


@pytest.mark.parametrize("entities", [ONE_AFTER_THE_OTHER, MIXED, ["a"] * 200], ids=["blocks", "mixed", "one"])
def test_each_part_has_the_points_around_it(entities: list[str]) -> None:
    source = table(entities)
    found = survey((part.batch for part in parts(source)), schema_of(source))
    assert found is not None
    of = np.array(entities)
    for part in Surroundings(found.stamps, REACH, REACH, found.points).of(parts(source)):
        inside, before, after = part.rows, [], []
        for name in np.unique(of[inside]):
            mine = np.flatnonzero(of == name)
            before += mine[mine < inside[0]][-REACH:].tolist()
            after += mine[mine > inside[-1]][:REACH].tolist()
        kept = [at for at in before if (of[inside[0] :] == of[at]).any()]
        assert values(part.before) == sorted(kept)
        assert values(part.after) == sorted(after)


def test_a_series_that_has_ended_is_not_waited_for() -> None:
    source = table(ONE_AFTER_THE_OTHER)
    read: list[int] = []

    def counted() -> Iterator[Part]:
        for part in parts(source):
            read.append(len(part.rows))
            yield part

    found = survey((part.batch for part in parts(source)), schema_of(source))
    assert found is not None
    for number, _ in enumerate(Surroundings(found.stamps, REACH, REACH, found.points).of(counted())):
        assert len(read) <= number + 2


def test_points_out_of_order_are_seen() -> None:
    source = table(["a"] * 100)
    turned = source.take(pa.array([*range(50), 20, *range(50, 100)]))
    assert survey((part.batch for part in parts(turned)), schema_of(source)) is None


def test_the_order_of_time_is_that_of_each_series() -> None:
    source = table(["a", "b"] * 30)
    schema = schema_of(source)
    swapped = source.take(pa.array([0, 1, 3, 2, *range(4, 60)])).combine_chunks()
    late = source.take(pa.array([*range(10), 5, *range(11, 60)])).combine_chunks()
    assert survey(swapped.to_batches(max_chunksize=7), schema) is not None
    assert survey(late.to_batches(max_chunksize=7), schema) is None
    assert not TimeOrder(schema).keeps(late.to_batches()[0])
