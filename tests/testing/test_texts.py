"""The kit's rows: of tables, of texts, and of nothing else."""

import numpy as np
import pytest

from anomalo.encoding.encoded import Encoded
from anomalo.plugin import Model
from anomalo.testing import checks
from anomalo.testing.rows import rows_for
from anomalo.testing.tables import tables
from anomalo.testing.texts import texts


class OfTables(Model):
    name = "of tables"


class OfTexts(Model):
    name = "of texts"
    modalities = ("text",)


class OfSounds(Model):
    name = "of sounds"
    modalities = ("sound",)


def same(one: tuple[Encoded, Encoded], other: tuple[Encoded, Encoded]) -> bool:
    return all(np.array_equal(a.values, b.values) and a.layout == b.layout for a, b in zip(one, other, strict=True))


def test_a_model_gets_rows_of_its_modality() -> None:
    assert same(rows_for(OfTables), tables())
    assert same(rows_for(OfTexts), texts())
    with pytest.raises(AssertionError, match=r"rows of table, text, image, series, and the model takes \('sound',\)"):
        rows_for(OfSounds)


def test_texts_have_ends_and_missing_cells_and_complete_rows() -> None:
    train, new = texts()
    for data in (train, new):
        assert data.observed.all(axis=1).any()
        assert not data.observed.all(axis=0).any()
        assert (data.values[:, -1] <= 2).all()
    assert train.layout.modality == "text"


def test_checks_of_other_columns_are_for_tables() -> None:
    of_tables, of_texts = ({name for name, _ in checks(model)} for model in (OfTables, OfTexts))
    assert of_tables - of_texts == {"one_column", "constant_columns"}
    assert of_texts <= of_tables
