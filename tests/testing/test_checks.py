"""The conformance kit finds each kind of misconduct, and only that."""

import random
import warnings
from dataclasses import dataclass

import numpy as np
import pytest

from anomalo.plugin import Cells, Filled, Model, param
from anomalo.registry.registry import Registry
from anomalo.testing import check_model, checks, tables
from anomalo.testing.__main__ import main
from anomalo.testing.answers import require_sane


@dataclass(kw_only=True)
class Good(Model):
    """Scores by the distance from the centre; importable, so that it can be restored elsewhere."""

    name = "good"
    power: float = param(1.0, low=0.0, help="Exponent of the distance.")

    def fit(self, data, run):
        self.shift_ = data.values[:, 0].mean(keepdims=True)
        return self

    def score(self, data):
        return self.explain(data).contribution.sum(axis=1)

    def explain(self, data):
        numbers = np.array([block.kind == "number" for block in data.layout.blocks])
        contribution = np.abs(np.where(numbers, data.values, 0)).astype(np.float64) ** self.power
        return Cells(np.ascontiguousarray(contribution), self.typical(data))

    def impute(self, data, draws=0):
        return Filled(np.where(data.observed, data.values, self.typical(data)))

    def typical(self, data):
        centre = np.array([2 if block.kind == "category" else 0 for block in data.layout.blocks], dtype=np.float32)
        return np.tile(centre, (len(data), 1))


class Embeds(Good):
    """Its code is the numbers."""

    def embed(self, data):
        return np.ascontiguousarray(data.values[:, data.layout.numbers])

    def decode(self, codes):
        rows = np.full((len(codes), codes.shape[1] + self.categories_), 2, dtype=np.float32)
        rows[:, self.numbers_] = codes
        return rows

    def fit(self, data, run):
        self.numbers_, self.categories_ = data.layout.numbers, len(data.layout.categories)
        return super().fit(data, run)


class LeadsNowhere(Good):
    def embed(self, data):
        return data.values


class EmbedsFlat(Embeds):
    def embed(self, data):
        return data.values[:, 0]

    def decode(self, codes):
        return np.full((len(codes), len(self.numbers_) + self.categories_), 2, dtype=np.float32)


class DecodesAround(Embeds):
    def decode(self, codes):
        return super().decode(codes - codes.mean(axis=0))


class DecodesNoLevel(Embeds):
    def decode(self, codes):
        rows = super().decode(codes)
        rows[rows == 2] = 1
        return rows


class DecodesRowsOnly(Embeds):
    def decode(self, codes):
        return super().decode(np.where(np.abs(codes) > self.reach_, np.nan, codes).astype(np.float32))

    def fit(self, data, run):
        self.reach_ = float(np.abs(data.values[:, data.layout.numbers]).max())
        return super().fit(data, run)


class Nameless(Good):
    name = ""


class SeedsByItself(Good):
    def fit(self, data, run):
        self.shift_ = np.array([np.random.rand()])
        return self

    def score(self, data):
        return super().score(data) + self.shift_[0]

    def explain(self, data):
        cells = super().explain(data)
        cells.contribution[:, 0] += self.shift_[0]
        return cells


class Remembers(Good):
    def fit(self, data, run):
        self.shift_ = getattr(self, "shift_", np.zeros(1)) + 1
        return self

    def score(self, data):
        return super().score(data) + self.shift_[0]


class LooksAround(Good):
    def explain(self, data):
        cells = super().explain(data)
        return Cells(cells.contribution / (1 + len(data)), cells.expected)


class ScoresMissing(Good):
    def explain(self, data):
        cells = super().explain(data)
        with np.errstate(all="ignore"):
            return Cells(np.where(data.observed, cells.contribution, np.nan), cells.expected)


class Overwrites(Good):
    def impute(self, data, draws=0):
        return Filled(self.typical(data))


class FillsUnseen(Good):
    def typical(self, data):
        centre = np.array([block.kind == "category" for block in data.layout.blocks], dtype=np.float32)
        return np.tile(centre, (len(data), 1))


class NeedsVariance(Good):
    def fit(self, data, run):
        deviation = np.where(data.observed, data.values, np.nan)[:, :1].std()
        if deviation == 0:
            raise ZeroDivisionError("no variance")
        return super().fit(data, run)


class NeedsTwoColumns(Good):
    def fit(self, data, run):
        data.values[:, 1]
        return super().fit(data, run)


class Unequal(Good):
    def score(self, data):
        return 2 * super().score(data) + 1


class HidesState(Good):
    def fit(self, data, run):
        self.hidden = 1.0
        return super().fit(data, run)

    def score(self, data):
        return super().score(data) * self.hidden


class StirsNumpy(Good):
    def fit(self, data, run):
        np.random.seed(run.seed)
        return super().fit(data, run)


class StirsRandom(Good):
    def score(self, data):
        random.random()
        return super().score(data)


class ChangesErrors(Good):
    def fit(self, data, run):
        np.seterr(all="ignore")
        return super().fit(data, run)


class StirsTorch(Good):
    def fit(self, data, run):
        import torch

        torch.manual_seed(run.seed)
        return super().fit(data, run)


class ChangesThreads(Good):
    def fit(self, data, run):
        import torch

        torch.set_num_threads(torch.get_num_threads() + 1)
        return super().fit(data, run)


class Mutates(Good):
    def fit(self, data, run):
        data.values[:, 0] = 0
        return super().fit(data, run)


class MutatesThroughTorch(Good):
    def fit(self, data, run):
        import torch

        with warnings.catch_warnings(action="ignore"):  # torch warns, once a process, and writes all the same
            torch.from_numpy(data.values).mul_(-1)
        return super().fit(data, run)


class Single(Good):
    def score(self, data):
        return super().score(data).astype(np.float32)


MISCONDUCT = [
    (Nameless, "declaration"),
    (SeedsByItself, "determinism"),
    (SeedsByItself, "global_state_untouched"),
    (Remembers, "refit"),
    (LooksAround, "row_independence"),
    (ScoresMissing, "missing_cells"),
    (ScoresMissing, "rows_without_cells"),
    (Overwrites, "missing_cells"),
    (FillsUnseen, "unseen_levels"),
    (NeedsVariance, "one_row"),
    (NeedsVariance, "constant_columns"),
    (NeedsTwoColumns, "one_column"),
    (Unequal, "contributions_sum_to_the_score"),
    (HidesState, "saved_and_restored_in_a_new_process"),
    (StirsNumpy, "global_state_untouched"),
    (StirsRandom, "global_state_untouched"),
    (ChangesErrors, "global_state_untouched"),
    (Mutates, "data_untouched"),
    (MutatesThroughTorch, "data_untouched"),
    (StirsTorch, "global_state_untouched"),
    (ChangesThreads, "global_state_untouched"),
    (Single, "missing_cells"),
    (LeadsNowhere, "declaration"),
    (EmbedsFlat, "missing_cells"),
    (DecodesAround, "row_independence"),
    (DecodesNoLevel, "missing_cells"),
    (DecodesRowsOnly, "codes_between_rows"),
]


@pytest.fixture(autouse=True)
def state():
    """What the offenders change is put back; torch is imported late, to keep restoring in a new process quick."""
    import torch

    kept = np.random.get_state(), random.getstate(), np.geterr(), torch.get_rng_state(), torch.get_num_threads()
    yield
    np.random.set_state(kept[0])
    random.setstate(kept[1])
    np.seterr(**kept[2])
    torch.set_rng_state(kept[3])
    torch.set_num_threads(kept[4])


@pytest.mark.parametrize(("model", "expected"), MISCONDUCT)
def test_each_misconduct_is_found(model: type[Model], expected: str) -> None:
    with pytest.raises((AssertionError, ZeroDivisionError, IndexError, ValueError)) as caught:
        dict(checks(model))[expected]()
    assert str(caught.value)


def test_a_good_model_passes_every_check() -> None:
    check_model(Good, power=2.0)
    check_model(Embeds)


def test_all_failures_are_reported_at_once() -> None:
    with pytest.raises(AssertionError) as caught:
        check_model(ScoresMissing)
    first, *lines = str(caught.value).splitlines()
    assert first == f"ScoresMissing fails {len(lines)} of {len(checks(ScoresMissing))} checks of anomalo.testing:"
    assert lines[0].startswith("- missing_cells: score has ")


def test_a_model_is_asked_only_for_what_it_can() -> None:
    asked = [{name for name, _ in checks(model)} for model in (Model, Good, Embeds)]
    assert asked[1] - asked[0] == {"contributions_sum_to_the_score"}
    assert asked[2] - asked[1] == {"codes_between_rows"}


def test_a_class_that_cannot_be_imported_elsewhere_is_reported() -> None:
    class Local(Good):
        pass

    with pytest.raises(AssertionError, match="define it at the top of a module"):
        dict(checks(Local))["saved_and_restored_in_a_new_process"]()


def test_the_kit_is_a_command(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert main([]) == main(["--help"]) == main(["epochs=2"]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("usage: python -m anomalo.testing MODEL")) == ("", 3)
    assert main(["mean", "knnn"]) == 2
    assert "did you mean 'knn'?" in capsys.readouterr().err
    assert main(["mean", "epochs=2"]) == 2
    assert "model 'mean' has no parameter 'epochs'" in capsys.readouterr().err
    asked: list[tuple[str, dict[str, object]]] = []
    monkeypatch.setattr("anomalo.testing.__main__.check_model", lambda cls, **params: asked.append((cls.name, params)))
    assert main(["linear", "epochs=2"]) == 0
    assert asked == [("linear", {"epochs": 2})]
    assert capsys.readouterr().out == "linear passes every check\n"


def test_a_model_that_fails_the_kit_ends_with_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Registry, "get", lambda self, name: ScoresMissing)
    assert main(["missing"]) == 1
    assert capsys.readouterr().out.startswith("ScoresMissing fails ")


def test_the_tables_are_what_encoders_give() -> None:
    train, new = tables()
    assert train.layout is new.layout
    assert not train.values.flags.writeable
    assert train.values.dtype == np.float32
    for block in train.layout.blocks:
        seen = train.observed[:, block.position]
        column = train.values[seen, block.position]
        assert block.missing == pytest.approx(1 - seen.mean())
        assert (train.values[~seen, block.position] == 0).all()
        if block.kind == "category":
            counts = np.bincount(column.astype(int))[2:]
            assert len(counts) == block.size
            assert (counts > 0).all()
            assert counts[0] == counts.max()
        else:
            assert (column.min(), column.max()) == (pytest.approx(block.low), pytest.approx(block.high))
    assert (~new.observed).any(axis=0).all()


def test_probabilities_are_checked() -> None:
    train, _ = tables()
    proba = np.full((len(train), 3), 1 / 3, dtype=np.float32)
    require_sane({"proba of position 3": proba}, train)
    with pytest.raises(AssertionError, match="do not sum to 1"):
        require_sane({"proba of position 3": proba / 2}, train)
    with pytest.raises(AssertionError, match=r"has shape \(200, 2\), expected \(200, 3\)"):
        require_sane({"proba of position 3": proba[:, :2]}, train)
