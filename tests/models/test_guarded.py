"""Calls of a model that plans, cross-fits and can be extended: guarded, and their results checked."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

from anomalo.errors import PluginError, UsageError
from anomalo.models.guarded import GuardedModel
from anomalo.models.run import LocalRun
from anomalo.plugin import CanExtend, CrossFits, Encoded, Model, Plan, Plans, Run
from anomalo.testing.tables import tables

LAYOUT = tables()[0].layout


@dataclass(kw_only=True)
class Bare(Model):
    """Does nothing."""

    name: ClassVar[str] = "bare"

    def fit(self, data: Encoded, run: Run) -> "Bare":
        return self


class Whole(Bare):
    """Answers each call with what it was given."""

    answer: ClassVar[Any] = None

    def folds(self) -> Any:
        return self.answer

    def without(self, fold: int) -> Any:
        return self.answer

    def plan(self, layout: Any, rows: int, goals: frozenset[str]) -> Any:
        return self.answer

    def extend(self, data: Encoded, run: Run) -> Any:
        return self.answer


def answering(answer: object) -> GuardedModel:
    return GuardedModel.of(type("Answer", (Whole,), {"answer": answer})())


def calls(model: GuardedModel) -> dict[str, Any]:
    data = tables()[0]
    return {
        "folds": lambda: model.folds(3),
        "without": lambda: model.without(0),
        "plan": lambda: model.plan(LAYOUT, 3, frozenset()),
        "extend": lambda: model.extend(data, LocalRun()),
    }


def test_what_a_model_can_is_seen_from_its_methods() -> None:
    model = answering(None)
    assert all(model.can(capability) for capability in (CrossFits, CanExtend, Plans))
    assert not any(GuardedModel.of(Bare()).can(capability) for capability in (CrossFits, CanExtend, Plans))


def test_a_model_without_the_methods_cannot_and_has_no_plan() -> None:
    bare = calls(GuardedModel.of(Bare()))
    assert bare.pop("plan")() is None
    for method, call in bare.items():
        with pytest.raises(UsageError, match=f"model 'bare' cannot {method}"):
            call()


@pytest.mark.parametrize(
    ("method", "answer", "text"),
    [
        ("folds", None, "folds is None, expected an array of int64"),
        ("folds", np.zeros(2, dtype=int), r"folds has shape \\(2,\\), expected \\(3,\\)"),
        ("folds", np.array([0, -2, 1]), "folds has -2, expected numbers from -1"),
        ("without", None, "without is None, expected a model"),
        ("without", Whole, "without is a type, expected a model"),
        ("plan", "long", "plan's result is a str, expected Plan"),
        ("plan", Plan("long", -1.0), "plan has -1.0 seconds, expected a finite number from 0"),
        ("plan", Plan("long", float("inf")), "plan has inf seconds"),
        ("extend", None, "it returned None; extend must return self"),
    ],
)
def test_a_wrong_answer_is_a_failure_of_the_model(method: str, answer: object, text: str) -> None:
    with pytest.raises(PluginError, match=text.replace("\\\\", "\\")) as caught:
        calls(answering(answer))[method]()
    assert "'bare'" in str(caught.value)
    assert method in str(caught.value)


@pytest.mark.parametrize("method", ["folds", "without", "plan", "extend"])
def test_an_error_in_a_call_is_a_failure_of_the_model(method: str) -> None:
    def fails(self: object, *arguments: object) -> None:
        raise ValueError("no luck")

    model = GuardedModel.of(type("Failing", (Whole,), {method: fails})())
    with pytest.raises(PluginError, match="no luck"):
        calls(model)[method]()


def test_right_answers_pass() -> None:
    np.testing.assert_array_equal(answering(np.array([-1, 0, 1])).folds(3), [-1, 0, 1])
    part = Bare()
    guarded = answering(part)
    assert guarded.without(0).model is part
    assert guarded.without(0).origin == guarded.origin
    assert answering(Plan("short", 2.0)).plan(LAYOUT, 3, frozenset()) == Plan("short", 2.0)
