"""Images held out, and others that a convolutional classifier is trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from anomalo.calibration.conformal import Calibration
from anomalo.encoding.encoded import Encoded, Scores
from anomalo.errors import UsageError
from anomalo.models.capabilities import SamplesClasses
from anomalo.models.guarded import GuardedModel
from anomalo.models.run import LocalRun
from anomalo.pipeline.augmentation.part import Part
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.fitted import Fitted
from anomalo.registry.registry import Registry
from anomalo.tabular.column import IMAGE

CLASSIFIER = "classifier"
BATCH = 256
"""Images held out that are in memory at a time."""


@dataclass
class ImagePart(Part):
    """Images; the classifier is `classifier` of the plugin of images.

    It has no class weights: instead, images of the rare class are shown as often as all others together. In every way
    it makes about as many steps, so that none gains by being trained for longer.
    """

    generators: ClassVar[tuple[str, ...]] = ("cyclegan", "cdcgan")
    budgets: ClassVar[Mapping[str, Mapping[str, Any]]] = {CLASSIFIER: {"epochs": 30}, "cyclegan": {"epochs": 30}}
    most: ClassVar[int] = 1_000

    def __post_init__(self) -> None:
        super().__post_init__()
        images = self.encoder.encode(self.schema.parse(self.rows))
        layout = replace(images.layout, classes=(f"not {self.positive}", self.positive))
        self.images = replace(images, layout=layout, target=self.rare.astype(np.float64))

    @classmethod
    def check(cls, registry: Registry) -> None:
        """Check that the classifier of images is installed; raises as `Registry.get` does."""
        registry.get(CLASSIFIER, IMAGE)

    def scores(self, method: str, params: Mapping[str, Any]) -> Scores:
        """Train a classifier in one way, and return the probabilities of the images held out."""
        images = self.images
        if method == "weights":
            images = images.take(self._balanced())
        elif method != "none":
            images = Encoded.concatenate([images, self._synthetic(method, params)])
        model = self._classifier(images)
        columns = [self.schema.parse(self.table.take(rows)) for rows in self._batches()]
        return np.concatenate([model.proba(self.encoder.encode(each))[:, 1] for each in columns]).astype(np.float64)

    def _batches(self) -> list[NDArray[np.intp]]:
        return np.split(self.test, range(BATCH, len(self.test), BATCH))

    def _balanced(self) -> NDArray[np.intp]:
        """Return row numbers, those of the rare class repeated until they are as many as the others."""
        rare, others = np.flatnonzero(self.rare), np.flatnonzero(~self.rare)
        return np.concatenate([others, np.resize(rare, max(len(others), len(rare)))])

    def _classifier(self, images: Encoded) -> GuardedModel:
        """Return a classifier that is trained for as many steps as one of the real images alone."""
        params = dict(self.budgets[CLASSIFIER])
        params["epochs"] = max(1, round(params["epochs"] * len(self.images) / len(images)))
        return self._fitted(CLASSIFIER, params, images, frozenset())

    def _synthetic(self, name: str, params: Mapping[str, Any]) -> Encoded:
        """Return synthetic images of the rare class; a generator that learns no classes is shown these alone."""
        known = FitConfig(name, params).create(self.registry, IMAGE)
        if "sample" not in known.verbs:
            raise UsageError(f"model {name!r} cannot sample; it can: {', '.join(known.verbs) or 'nothing'}")
        if not self.count():
            return self.images.take(slice(0, 0))
        images = self.images if known.can(SamplesClasses) else self._without_classes(self.images.take(self.rare))
        model = self._fitted(name, params, images, frozenset({"sample"}))
        given = Encoded.blank(images.layout, self.count())
        if images.target is not None:
            given = replace(given, target=np.ones(len(given)))
        drawn = Fitted(self.schema, self.encoder, model, Calibration.empty(), None, {}).sample(
            given, LocalRun(seed=self.seed, device="auto")
        )
        return replace(drawn, layout=self.images.layout, target=np.ones(len(drawn)))

    def _without_classes(self, images: Encoded) -> Encoded:
        return replace(images, layout=replace(images.layout, classes=()), target=None)

    def _fitted(self, name: str, params: Mapping[str, Any], images: Encoded, goals: frozenset[str]) -> GuardedModel:
        config = FitConfig(name, params, seed=self.seed, goals=goals)
        return config.create(self.registry, IMAGE).fit(images, config.run(self.registry, IMAGE, 0, 1))
