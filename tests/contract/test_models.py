"""Every first-party model keeps to the contract of third-party models: the conformance kit, check by check."""

from collections.abc import Callable, Iterator

import pytest

from anomalo.plugin import Model, verbs_of
from anomalo.registry.registry import Registry
from anomalo.testing import checks
from anomalo.testing.checks import (
    Make,
    constant_columns,
    data_untouched,
    determinism,
    empty_columns,
    global_state_untouched,
    one_column,
    refit,
    saved_and_restored_in_a_new_process,
    saved_and_restored_in_one_process,
)

REGISTRY = Registry.load()
SAVED = saved_and_restored_in_a_new_process.__name__
REPRESENTATIVE = {"chained", "knn", "linear", "marginals", "mean"}
"""Models that `make test` runs every check of."""
FITTED_TWICE = REPRESENTATIVE | {"blend", "edm", "gan", "rbm", "undercomplete"}
"""Models, one of each plugin and more, that it fits again with the same seed."""
QUICK_OF_IMAGES = {"conv", "dcgan", "filters", "local_pca", "patches"}
"""Models of images that `make test` runs the cheaper checks of."""
QUICK_OF_SERIES = {"gaussian", "interpolation", "neighbours", "polynomial", "recurrent", "sub_pca"}
"""Models of series that it runs these of."""
FITS_AGAIN = {
    check.__name__
    for check in (
        constant_columns,
        data_untouched,
        determinism,
        empty_columns,
        global_state_untouched,
        one_column,
        refit,
    )
}
"""Checks that fit a model of their own: left to `make test-all` for the other models."""
OURS = {plugin.name: plugin.models for plugin in REGISTRY.plugins() if plugin.first_party}


def first_party() -> Iterator[type[Model]]:
    for plugin, names in OURS.items():
        models = [(name, model) for name in names for model in REGISTRY.models[name]]
        yield from (model for name, model in models if REGISTRY.plugin_of(name, model.modalities[0]) == plugin)


def test_every_model_that_scores_says_in_what() -> None:
    assert [model.name for model in first_party() if "score" in verbs_of(model) and not model.score_unit] == []
    assert [model.name for model in first_party() if "score" not in verbs_of(model) and model.score_unit] == []


def quick(model: type[Model]) -> dict[str, int | str]:
    """Parameters that keep a fit short: the contract is about any fit, not about a good one."""
    known = {parameter.name for parameter in model.parameters()}
    brief = {"effort": "fast", "width": 4, "steps": 2} if model.modalities == ("image",) else {}
    return {name: value for name, value in {"epochs": 2, "trees": 5, "paths": 3, **brief}.items() if name in known}


def marks(model: type[Model], check: str) -> tuple[pytest.MarkDecorator, ...]:
    if model.modalities == ("image",) and model.name not in QUICK_OF_IMAGES:
        return (pytest.mark.matrix,)
    if model.modalities == ("series",) and model.name not in QUICK_OF_SERIES:
        return (pytest.mark.matrix,)
    quick = check not in FITS_AGAIN or model.name in (FITTED_TWICE if check == determinism.__name__ else REPRESENTATIVE)
    return () if quick else (pytest.mark.matrix,)


def of_others(model: type[Model]) -> str:
    """Distinguish a model from that of tables with the same name."""
    return f"{model.modalities[0]}-" if len(REGISTRY.models[model.name]) > 1 and "table" not in model.modalities else ""


CASES = [
    pytest.param(check, id=f"{of_others(model)}{model.name}-{name}", marks=marks(model, name))
    for model in first_party()
    for name, check in checks(model, **quick(model))
    if name != SAVED
]


@pytest.mark.usefixtures("frugal")
@pytest.mark.parametrize("check", CASES)
def test_model_keeps_to_the_contract(check: Callable[[], None]) -> None:
    check()


@pytest.mark.slow
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
