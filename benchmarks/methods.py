"""The methods that benchmarks of detection compare: our models by name and parameters, ablations, PyOD's detectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from peer_detectors import PYOD, Pyod

from anomalo import AnomalyDetector
from anomalo.errors import UsageError
from anomalo.neural import NeuralModel
from anomalo.registry.registry import Registry

COMPOSED = "auto"
PCA = "linear"
SPECIFICATION = re.compile(r"([^\[\]=;]+)(?:\[([^\[\]]*)\])?")


class Detector(Protocol):
    def fit(self, train: pd.DataFrame) -> None: ...

    def score(self, test: pd.DataFrame) -> NDArray[np.float64]: ...

    def score_training(self, train: pd.DataFrame) -> NDArray[np.float64]:
        """Score the rows that the detector was fitted on."""
        ...


Creator = Callable[[int], Detector]


class Ours:
    """One of our models, by the public door."""

    calibrate = False

    def __init__(self, name: str, params: dict[str, Any], seed: int) -> None:
        self.detector = AnomalyDetector(name, params=params, random_state=seed, calibrate=self.calibrate, device="cpu")

    def fit(self, train: pd.DataFrame) -> None:
        self.detector.fit(train)

    def score(self, test: pd.DataFrame) -> NDArray[np.float64]:
        return -self.detector.score_samples(test)

    score_training = score


class Calibrated(Ours):
    """The same, cross-fitted; it ranks training rows as `anomalo scan` does, by p-value (out of fold), then score."""

    calibrate = True

    def score_training(self, train: pd.DataFrame) -> NDArray[np.float64]:
        keys = np.column_stack([-self.detector.p_values(train), self.score(train)])
        return np.unique(keys, axis=0, return_inverse=True)[1].ravel().astype(np.float64)


def ours(text: str | None, registry: Registry, kind: type[Ours] = Ours) -> dict[str, Callable[[int], Ours]]:
    """Return what creates each of our models that `text` lists, for a seed; without a text, auto and its members.

    Raises
    ------
    UsageError
        A specification is not NAME or NAME[PARAMETER=VALUE;…], or there is no such model, parameter or value.
    """
    if text is None:
        text = ",".join([COMPOSED, *members(COMPOSED, registry)])
    return {item: _creator(*specification, kind) for item, specification in listed(text, registry).items()}


def listed(text: str, registry: Registry) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the name and the parameters of each model in a text, by how they are written there; raises as `ours`."""
    items = [item.strip() for item in re.split(r",(?![^\[]*\])", text)]
    return {item: specified(item, registry) for item in items if item}


def specified(specification: str, registry: Registry) -> tuple[str, dict[str, Any]]:
    """Return the name and the parameters in `NAME[PARAMETER=VALUE;…]`; raises as `ours` does."""
    match = SPECIFICATION.fullmatch(specification)
    settings = [item.partition("=") for item in ((match and match[2]) or "").split(";") if item]
    if not match or not all(equals for _, equals, _ in settings):
        raise UsageError(
            f"model {specification!r}: expected NAME or NAME[PARAMETER=VALUE;…], such as knn[neighbours=5]"
        )
    params = registry.get(match[1]).parse({name.strip(): value for name, _, value in settings})
    registry.create(match[1], **params)
    return match[1], params


def pyod(listed: list[str]) -> dict[str, Creator]:
    """Return what creates each of PyOD's detectors for a seed.

    Raises
    ------
    UsageError
        A name is not known.
    """
    if unknown := [name for name in listed if name not in PYOD]:
        raise UsageError(f"--pyod {', '.join(unknown)}: expected some of {', '.join(PYOD)}")
    return {f"PyOD {name}": lambda seed, name=name: Pyod(name, seed) for name in listed}


def ablations(name: str, registry: Registry) -> dict[str, Callable[[int], Ours]]:
    """Return what creates each ablation of a model that fuses others; it weights the members that are left anew.

    Each member is left out; so are all networks; all networks are replaced by one `linear`, that is by PCA.

    Raises
    ------
    UsageError
        There is no such model, or it has no parameter `members`.
    """
    every = members(name, registry)
    simple = [member for member in every if not _is_network(member, registry)]
    kept = {f"{name} without {member}": [other for other in every if other != member] for member in every}
    if len(simple) < len(every):
        kept[f"{name} non-neural"] = simple
        kept[f"{name} PCA"] = list(dict.fromkeys([*simple, PCA]))
    return {label: _creator(name, {"members": ",".join(some)}) for label, some in kept.items() if some}


def members(name: str, registry: Registry) -> list[str]:
    """Return the models that a model fuses by default; raises as `ablations` does."""
    for parameter in registry.get(name).parameters():
        if parameter.name == "members":
            return [member.strip() for member in parameter.default.split(",")]
    raise UsageError(f"model {name!r} has no parameter 'members'; expected one that fuses others, such as {COMPOSED}")


def _is_network(name: str, registry: Registry) -> bool:
    return name != PCA and issubclass(registry.get(name), NeuralModel)


def _creator(name: str, params: dict[str, Any], kind: type[Ours] = Ours) -> Callable[[int], Ours]:
    return lambda seed: kind(name, params, seed)
