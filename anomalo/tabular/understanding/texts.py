"""Columns of texts that are nearly all different: ids or free text."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from anomalo.tabular.column import Column
from anomalo.tabular.understanding.names import says_id
from anomalo.tabular.understanding.sample import Sample

FEW_ROWS = 20
"""With fewer rows, distinct values are no evidence that a column identifies its rows."""
NEAR_UNIQUE = 0.9
"""The share of distinct values from which a column may identify its rows."""
_MOSTLY = 0.9
_UUID = r"^\{?[0-9a-fA-F]{8}(-?[0-9a-fA-F]{4}){3}-?[0-9a-fA-F]{12}\}?$"
_HEX = r"^(0x)?[0-9a-fA-F]{8,}$"
_COUNTED = r"^[A-Za-z]{1,12}[-_#/:.]?\d+$"
_CODE = r"^[A-Za-z0-9]+([-_/.:][A-Za-z0-9]+)*$"


def near_unique(base: Column, sample: Sample) -> Column | None:
    """Return a column whose texts are nearly all different as an identifier or as text, which is left out."""
    if sample.total < FEW_ROWS or len(sample.texts) < NEAR_UNIQUE * sample.total:
        return None
    distinct = f"{len(sample.texts)} of {sample.total} values are distinct"
    if says_id(base.name):
        return replace(base, kind="identifier", note=f"{distinct}: an identifier", why="ids: the name says so")
    if shape := _shape(sample.texts):
        return replace(base, kind="identifier", note=f"{distinct}: an identifier", why=f"ids: the texts are {shape}")
    return replace(base, kind="text", note=f"{distinct}: free text", why="nearly every cell has another text")


def _shape(texts: pa.StringArray) -> str | None:
    if _fits(texts, _UUID):
        return "UUIDs"
    if _fits(texts, _HEX) and pc.any(pc.match_substring_regex(texts, r"\d")).as_py():
        return "hexadecimal numbers"
    if _fits(texts, _COUNTED):
        return "words with a number"
    lengths = pc.value_counts(pc.utf8_length(texts))
    fixed = pc.max(lengths.field(1)).as_py() >= _MOSTLY * len(texts)
    return "codes of one length" if fixed and _fits(texts, _CODE) and _fits(texts, r"\d") else None


def _fits(texts: pa.StringArray, pattern: str) -> bool:
    return bool(pc.mean(pc.match_substring_regex(texts, pattern).cast(pa.float64())).as_py() >= _MOSTLY)
