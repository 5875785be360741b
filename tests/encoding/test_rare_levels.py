"""Which levels of a category have a code of their own."""

import pandas as pd
import pyarrow as pa
import pytest

from anomalo.encoding.layout import Block
from anomalo.encoding.table_encoder import TableEncoder
from anomalo.tabular.schema import SchemaOptions, infer


def fitted(counts: dict[str, int]) -> Block:
    """The block of a category whose levels occur so often."""
    cells = [level for level, count in counts.items() for _ in range(count)]
    table = pa.Table.from_pandas(pd.DataFrame({"a": cells, "b": 1.5}), preserve_index=False)
    schema = infer(table, SchemaOptions(kinds={"a": "category"}))
    encoder = TableEncoder().fit(schema.parse(table), schema)
    return encoder.layout.blocks[0]


def named(number: int, count: int, letter: str) -> dict[str, int]:
    return {f"{letter}{at:03}": count for at in range(number)}


def test_few_levels_are_all_kept_however_rare() -> None:
    block = fitted(named(19, 1, "a") | {"often": 1_000})
    assert (len(block.levels), block.rare) == (20, ())


def test_of_many_levels_those_that_occur_once_are_rare() -> None:
    block = fitted(named(15, 2, "twice") | named(10, 1, "once"))
    assert block.levels == tuple(named(15, 2, "twice"))
    assert block.rare == tuple(named(10, 1, "once"))


@pytest.mark.parametrize(("count", "kept"), [(3, True), (2, False)])
def test_of_a_long_table_levels_of_less_than_one_in_ten_thousand_rows_are_rare(count: int, kept: bool) -> None:
    often = named(20, 1_400, "often")
    block = fitted(often | {"seldom": count} | {"filler": 30_000 - 28_000 - count})  # 30,000 rows: 3 are enough
    assert ("seldom" in block.levels, "seldom" in block.rare) == (kept, not kept)


def test_at_most_a_hundred_have_one() -> None:
    block = fitted(named(130, 5, "a"))
    assert block.levels == tuple(named(130, 5, "a"))[:100]
    assert len(block.rare) == 30
