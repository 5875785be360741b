"""Missing values that another column determines: found, kept in all synthetic rows, and ignored by fills."""

import itertools
import json
from typing import Any

import numpy as np
import pytest

from anomalo.generators.missingness import Gate, find_gates
from anomalo.models.run import LocalRun
from anomalo.plugin import FIRST_LEVEL, Block, Encoded, Layout, TableTransform
from anomalo_baselines import GaussianCopula, Mixture
from anomalo_diffusion.ddpm import Ddpm
from anomalo_diffusion.edm import Edm
from anomalo_gan.gan import Gan

DOSE, MEASURED, LEFT, RIGHT, LOOSE = range(5)
LAYOUT = Layout(
    "table",
    (5,),
    (
        Block("dose", "number", DOSE, low=-4, high=4),
        Block("measured", "category", MEASURED, levels=("yes", "no", "refused")),
        Block("left", "number", LEFT, low=-4, high=4),
        Block("right", "category", RIGHT, levels=("a", "b", "c")),
        Block("loose", "number", LOOSE, low=-4, high=4),
    ),
)
SMALL: dict[str, Any] = {"epochs": 3, "hidden": 16}


def table(rows: int = 600) -> Encoded:
    """Rows without a dose, often 0, unless it was measured; without both left and right; and without some loose."""
    rng = np.random.default_rng(0)
    measured, together = rng.integers(3, size=rows), rng.random(rows) < 0.3
    dose = np.where(rng.random(rows) < 0.4, 0.0, rng.normal(size=rows))
    right = FIRST_LEVEL + rng.integers(3, size=rows)
    values = np.stack([dose, FIRST_LEVEL + measured, rng.normal(size=rows), right, rng.normal(size=rows)], axis=1)
    observed = np.ones(values.shape, dtype=bool)
    observed[:, DOSE], observed[:, LOOSE] = measured == 0, rng.random(rows) < 0.8
    observed[:, LEFT] = observed[:, RIGHT] = ~together
    return encoded(values, observed)


def encoded(values: Any, observed: Any) -> Encoded:
    return Encoded(np.where(observed, values, 0).astype(np.float32), np.asarray(observed), LAYOUT)


def asked(rows: int, **cells: float) -> Encoded:
    """Rows of which these cells are given."""
    names = [block.name for block in LAYOUT.blocks]
    values, observed = np.zeros((rows, 5)), np.zeros((rows, 5), dtype=bool)
    for name, value in cells.items():
        values[:, names.index(name)], observed[:, names.index(name)] = value, True
    return encoded(values, observed)


def contradictions(rows: Encoded) -> int:
    wrong = rows.observed[:, DOSE] != (rows.values[:, MEASURED] == FIRST_LEVEL)
    return int((wrong | (rows.observed[:, LEFT] != rows.observed[:, RIGHT])).sum())


def gates(data: Encoded) -> dict[int, int]:
    """The root of each gate, by the position of the column that it makes missing."""
    transform = TableTransform.fit(data)
    position_of = {column.code: column.position for column in transform.columns if column.code >= 0}
    return {position_of[gate.code]: position_of[gate.root] for gate in transform.gates}


def test_gates_are_found_and_chance_is_none() -> None:
    data = table()
    assert gates(data) == {DOSE: MEASURED, RIGHT: LEFT}
    observed = data.observed.copy()
    row = np.flatnonzero(observed[:, DOSE])[0]
    observed[row, DOSE] = False
    assert gates(encoded(data.values, observed)) == {RIGHT: LEFT}


def test_no_root_has_a_gate() -> None:
    """Three columns miss together; a fourth, which is complete, determines when: it is the root of all."""
    rng = np.random.default_rng(0)
    flag = rng.integers(2, size=400)
    codes = np.stack([*(np.where(flag == 1, 1, 0) for _ in range(3)), flag], axis=1)
    found = find_gates(codes, [2, 2, 2, 2], [True, True, True, False])
    assert {(gate.code, gate.root) for gate in found} == {(0, 3), (1, 3), (2, 3)}
    assert all(gate.closed.tolist() == [False, True] for gate in found)
    found = find_gates(codes[:, :3], [2, 2, 2], [True, True, True])
    assert {(gate.code, gate.root) for gate in found} == {(1, 0), (2, 0)}


def test_the_usual_value_is_the_most_frequent_observed_one() -> None:
    codes = np.stack([np.tile([0, 1, 1, 2, 2, 2], 50), np.tile([0, 0, 0, 1, 1, 1], 50)], axis=1)
    (gate,) = find_gates(codes, [3, 2], [True, False])
    assert (gate.code, gate.root, gate.missing_code, gate.usual) == (0, 1, 2, 1)
    applied = np.array([[0, 0], [2, 0], [1, 1], [2, 1]])
    gate.apply(applied)
    assert applied.tolist() == [[0, 0], [1, 0], [2, 1], [2, 1]]


@pytest.mark.parametrize("size", [2, 3])
def test_narrowing_by_enumeration(size: int) -> None:
    """No pair of values that agree is excluded; without one the row stays as it is; a root agrees with something."""
    gate = Gate(0, 1, size - 1, np.array([True, False, True]), 0)
    for code, root in itertools.product(
        itertools.product([False, True], repeat=size), itertools.product([False, True], repeat=3)
    ):
        if not any(code) or not any(root):
            continue
        pairs = {
            (value, root_value)
            for value in range(size)
            for root_value in range(3)
            if code[value] and root[root_value] and gate.closed[root_value] == (value == gate.missing_code)
        }
        allowed = [np.array([code]), np.array([root])]
        gate.narrow(allowed)
        left = {
            (value, root_value)
            for value in np.flatnonzero(allowed[0][0])
            for root_value in np.flatnonzero(allowed[1][0])
        }
        assert pairs <= left
        assert left
        if pairs:
            assert set(np.flatnonzero(allowed[1][0])) == {root_value for _, root_value in pairs}
            if size == 2 or not any(value < gate.missing_code for value, _ in pairs):
                assert set(np.flatnonzero(allowed[0][0])) == {value for value, _ in pairs}


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        GaussianCopula(),
        Mixture(),
        Gan(**SMALL, depth=1),
        Gan(**SMALL, depth=1, modes=4),
        Edm(**SMALL, width=16, blocks=1),
        Ddpm(**SMALL, width=16, blocks=1),
    ],
    ids=lambda model: model.name,
)
def test_synthetic_rows_miss_the_cells_that_others_determine(model: Any) -> None:
    """Of a model that has learned next to nothing: what is not looked up is at odds in many rows."""
    data = table()
    model.fit(data, LocalRun(seed=0))
    assert contradictions(data) == 0
    rows = model.sample(asked(300), LocalRun(seed=1))
    assert contradictions(rows) == 0
    assert 0.05 < rows.observed[:, DOSE].mean() < 0.8
    for cells in ({"measured": FIRST_LEVEL + 1}, {"measured": FIRST_LEVEL}, {"dose": 0.5}, {"dose": 0.0}, {"right": 3}):
        rows = model.sample(asked(50, **cells), LocalRun(seed=1))
        assert contradictions(rows) == 0
        given = asked(50, **cells)
        np.testing.assert_array_equal(rows.values[given.observed], given.values[given.observed])


def test_what_is_given_stays_although_it_contradicts() -> None:
    rows = Mixture().fit(table(), LocalRun()).sample(asked(20, dose=0.5, measured=FIRST_LEVEL + 1), LocalRun())
    assert (rows.values[:, [DOSE, MEASURED]] == [0.5, FIRST_LEVEL + 1]).all()
    assert rows.observed[:, [DOSE, MEASURED]].all()


def test_a_fill_is_a_value_although_another_column_determines_that_it_is_missing() -> None:
    data = table()
    model = Ddpm(**SMALL, width=16, blocks=1).fit(data, LocalRun(seed=0))
    rows = data.take(np.flatnonzero(~data.observed[:, DOSE])[:20])
    filled = model.impute(rows, draws=5)
    assert filled.draws is not None
    assert (np.ptp(filled.draws[:, :, DOSE], axis=0) > 0).any()
    np.testing.assert_array_equal(filled.point[rows.observed], rows.values[rows.observed])


def test_gates_are_packed_and_unpacked() -> None:
    transform = TableTransform.fit(table())
    array, value = transform.pack()
    again = TableTransform.unpack(array, json.loads(json.dumps(value)))
    assert len(again.gates) == 2
    for one, other in zip(transform.gates, again.gates, strict=True):
        assert (one.code, one.root, one.missing_code, one.usual) == (
            other.code,
            other.root,
            other.missing_code,
            other.usual,
        )
        np.testing.assert_array_equal(one.closed, other.closed)
