"""Every first-party model keeps to the contract of third-party models: the conformance kit, check by check."""

from collections.abc import Callable, Iterator

import pytest

from anomalo.plugin import Model
from anomalo.registry.registry import Registry
from anomalo.testing import checks
from anomalo.testing.checks import Make, saved_and_restored_in_a_new_process, saved_and_restored_in_one_process

REGISTRY = Registry.load()
SAVED = saved_and_restored_in_a_new_process.__name__
OURS = {plugin.name: plugin.models for plugin in REGISTRY.plugins() if plugin.first_party}


def first_party() -> Iterator[type[Model]]:
    for models in OURS.values():
        yield from (REGISTRY.get(name) for name in models)


def quick(model: type[Model]) -> dict[str, int]:
    """Parameters that keep a fit short: the contract is about any fit, not about a good one."""
    known = {parameter.name for parameter in model.parameters()}
    return {name: value for name, value in {"epochs": 2, "trees": 5}.items() if name in known}


CASES = [
    pytest.param(check, id=f"{model.name}-{name}")
    for model in first_party()
    for name, check in checks(model, **quick(model))
    if name != SAVED
]


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("check", CASES)
def test_model_keeps_to_the_contract(check: Callable[[], None]) -> None:
    check()


@pytest.mark.usefixtures("few_parts")
def test_models_restored_in_a_new_process_give_the_same_answers() -> None:
    saved_and_restored_in_one_process([Make(model, **quick(model)) for model in first_party()])


def test_every_plugin_of_ours_loads_and_gives_what_it_should() -> None:
    assert [failure for failure in REGISTRY.failures if failure.plugin in OURS] == []
    assert {"linear", "undercomplete"} <= set(OURS["autoencoders"])
    assert {
        "iforest",
        "knn",
        "mean",
        "median",
        "mode",
        "chained",
        "forest",
        "boosted",
        "knn_impute",
        "mixture",
        "smote",
    } <= set(OURS["baselines"])
