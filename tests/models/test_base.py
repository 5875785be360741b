"""What a plugin's author builds on: parameters that check themselves, state that comes back, verbs from methods."""

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomalo.errors import ParameterError
from anomalo.models.run import LocalRun
from anomalo.plugin import (
    VERBS,
    CanClassify,
    CanEmbed,
    CanExplain,
    CanImpute,
    CanSample,
    CanScore,
    Encoded,
    Filled,
    Model,
    Parameter,
    Run,
    Scores,
    is_model,
    param,
    verbs_of,
)
from anomalo.testing import tables


@dataclass(kw_only=True)
class Everything(Model):
    """One parameter of each type, and something learned of each kind."""

    name = "everything"
    count: int = param(3, low=1, high=9, help="How many.")
    share: float = param(0.5, low=0.0, high=1.0)
    fast: bool = param(True)
    norm: str = param("l2", choices=("l1", "l2"))
    widths: tuple[int, ...] = param((8, 4), low=1, high=64)
    cache: int = 0  # no param: no hyperparameter

    def fit(self, data: Encoded, run: Run) -> "Everything":
        self.centre_ = data.values.mean(axis=0)
        self.steps_, self.words_, self.pairs_ = 7, ["a", "b"], {"a": [1, 2]}
        self.layout_ = data.layout
        self.scratch, self._hidden_ = object(), object()
        return self

    def score(self, data: Encoded) -> Scores:
        return np.asarray((data.values - self.centre_).sum(axis=1), dtype=np.float64)


@dataclass(kw_only=True)
class Outer(Model):
    """Two models in one."""

    name = "outer"
    repeat: int = param(2, low=1)

    def fit(self, data: Encoded, run: Run) -> "Outer":
        self.first_ = Everything(count=5, widths=(2,)).fit(data, run)
        self.second_ = Everything(fast=False).fit(data.take(slice(0, 10)), run)
        return self

    def score(self, data: Encoded) -> Scores:
        return self.first_.score(data) + self.second_.score(data)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        return Filled(data.values)


@dataclass(kw_only=True)
class Wrapper(Model):
    """A model of models of models."""

    name = "wrapper"

    def fit(self, data: Encoded, run: Run) -> "Wrapper":
        self.inner_ = Outer(repeat=4).fit(data, run)
        return self


KNOWN: dict[str, type[Model]] = {model.name: model for model in (Everything, Outer, Wrapper)}


def create(name: str, **params: Any) -> Model:
    return KNOWN[name](**params)


def parameter(name: str) -> Parameter:
    return next(p for p in Everything.parameters() if p.name == name)


def test_the_declaration_is_what_forms_and_docs_read() -> None:
    assert [p.name for p in Everything.parameters()] == ["count", "share", "fast", "norm", "widths"]
    assert parameter("count") == Parameter("count", 3, 1, 9, None, "How many.")
    assert parameter("norm").choices == ("l1", "l2")
    assert Everything(count=4).params() == {"count": 4, "share": 0.5, "fast": True, "norm": "l2", "widths": (8, 4)}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("count", "7", 7),
        ("share", "1e-3", 0.001),
        ("share", "1", 1.0),
        ("fast", " False ", False),
        ("fast", "1", True),
        ("fast", "no", False),
        ("fast", "yes", True),
        ("norm", "l1", "l1"),
        ("widths", "3", (3,)),
        ("widths", "3, 5,", (3, 5)),
        ("widths", "", ()),
    ],
)
def test_texts_become_values(name: str, text: str, value: Any) -> None:
    parsed = Everything.parse({name: text})[name]
    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("count", "7.5", "count=7.5: expected a whole number, such as 3"),
        ("share", "half", "share=half: expected a number, such as 0.5"),
        ("fast", "maybe", "fast=maybe: expected true or false, such as True"),
        ("widths", "8x4", r"widths=8x4: expected whole numbers separated by commas, such as \(8, 4\)"),
        ("size", "1", "'everything' has no parameter 'size'; it has: count, share, fast, norm, widths"),
    ],
)
def test_texts_of_another_type_are_refused(name: str, text: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Everything.parse({name: text})


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("count", 0, "count=0: expected a value from 1 to 9"),
        ("count", 10, "count=10: expected a value from 1 to 9"),
        ("count", 3.0, "count=3.0: expected int, got float"),
        ("count", True, "count=True: expected int, got bool"),
        ("share", float("nan"), "share=nan: expected a value from 0.0 to 1.0"),
        ("share", float("inf"), "share=inf"),
        ("share", None, "share=None: expected float, got NoneType"),
        ("fast", 1, "fast=1: expected bool, got int"),
        ("norm", "l3", "norm='l3': expected one of 'l1', 'l2'"),
        ("widths", (4, 65), r"widths=\(4, 65\): expected a value from 1 to 64"),
        ("widths", (), r"widths=\(\): expected at least one value, such as \(8, 4\)"),
        ("widths", 4, "widths=4: expected tuple, got int"),
    ],
)
def test_values_out_of_bounds_are_refused(name: str, value: Any, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        Everything(**{name: value})


def test_a_bound_on_one_side_is_reported_as_such() -> None:
    with pytest.raises(ParameterError, match="repeat=0: expected a value at least 1"):
        Outer(repeat=0)
    assert Outer(repeat=10**9).repeat == 10**9


def test_a_whole_number_is_a_number_and_a_list_from_json_is_a_tuple() -> None:
    model = Everything(share=1, widths=json.loads("[2, 3]"))
    assert model.share == 1
    assert model.widths == (2, 3)


@settings(deadline=None, max_examples=50)
@given(
    count=st.integers(1, 9), share=st.floats(0, 1), fast=st.booleans(), widths=st.lists(st.integers(1, 64), min_size=1)
)
def test_what_is_shown_as_text_is_read_back(count: int, share: float, fast: bool, widths: list[int]) -> None:
    values = {"count": count, "share": share, "fast": fast, "widths": tuple(widths)}
    texts = {**{name: str(value) for name, value in values.items()}, "widths": ",".join(map(str, widths))}
    assert Everything.parse(texts) == values
    assert Everything(**values).params() == {**values, "norm": "l2"}


def test_a_model_without_parameters_says_so() -> None:
    with pytest.raises(ParameterError, match="'wrapper' has no parameter 'a'; it has: none"):
        Wrapper.parse({"a": "1"})


def test_verbs_follow_from_the_methods() -> None:
    assert verbs_of(Everything) == ("score",)
    assert verbs_of(Outer) == ("score", "impute")
    assert verbs_of(Wrapper) == ()
    assert tuple(VERBS.values()) == (CanScore, CanExplain, CanImpute, CanEmbed, CanSample, CanClassify)
    for verb, protocol in VERBS.items():
        for model in (Everything(), Outer(), Wrapper()):
            assert isinstance(model, protocol) == (verb in verbs_of(type(model)))


def test_the_state_is_what_ends_in_an_underscore() -> None:
    train, _ = tables()
    state = Everything().fit(train, LocalRun()).state()
    assert set(state.arrays) == {"centre_"}
    assert set(state.values) == {"steps_", "words_", "pairs_", "layout_"}
    assert state.models == {}
    json.dumps(state.values)


def test_a_model_comes_back_from_its_state() -> None:
    train, new = tables()
    model = Everything(count=5).fit(train, LocalRun())
    again = Everything(count=5).restore(model.state())
    assert (again.steps_, again.words_, again.pairs_) == (7, ["a", "b"], {"a": [1, 2]})
    assert again.layout_ == train.layout
    np.testing.assert_array_equal(again.score(new), model.score(new))


def test_nested_models_come_back_with_their_parameters() -> None:
    train, new = tables()
    model = Wrapper().fit(train, LocalRun())
    again = Wrapper().restore(model.state(), create)
    assert again.inner_.repeat == 4
    assert again.inner_.first_.params() == {**Everything().params(), "count": 5, "widths": (2,)}
    assert again.inner_.second_.fast is False
    np.testing.assert_array_equal(again.inner_.score(new), model.inner_.score(new))


def test_nested_models_need_someone_who_makes_them() -> None:
    train, _ = tables()
    with pytest.raises(ValueError, match="first_ is a nested 'everything' model: restore needs `create`"):
        Outer().restore(Outer().fit(train, LocalRun()).state())


class Nameless(Model):
    name: ClassVar[str] = ""


def test_what_can_be_registered() -> None:
    assert is_model(Everything)
    for candidate in (Everything(), Nameless, Model, object, None, "everything"):
        assert not is_model(candidate)


def test_the_base_has_no_fit() -> None:
    with pytest.raises(NotImplementedError):
        Nameless().fit(tables()[0], LocalRun())
