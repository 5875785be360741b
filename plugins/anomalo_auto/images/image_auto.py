"""The default model `auto` of images: several models, cross-fitted and combined by p-values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from anomalo.errors import ParameterError, UsageError
from anomalo.plugin import CanExplain, Cells, Encoded, Filled, Model, ModelState, Run, Scores, param, relative
from anomalo_auto.cross_fitted_member import CrossFittedMember, members_of, state_of
from anomalo_auto.fusion import weighted_harmonic_mean
from anomalo_auto.images.effort import EFFORTS
from anomalo_auto.images.evidence import best_filler, weights_of
from anomalo_auto.member_run import MemberRun


@dataclass(kw_only=True)
class ImageAuto(Model):
    """Images near to others, textures of patches and of filters, and a network that finds defects, combined.

    Every member is fitted on all images, and once without each fold of them. By its scores of the training images its
    score becomes a surprisal e = -log p; the score is -log of the weighted harmonic mean of the members' p-values,

        s = log sum_m w_m exp(e_m)   [nats],

    so that one member alone can raise the score. One looks at the shape of the whole, another at the texture, and which
    of them sees anything depends on the images: the weight of a member is how well it tells images that it did not
    learn from from themselves with a synthetic defect. A pixel's part of the score is the mean of its shares of the
    members' scores, by their weights.

    Hidden pixels are filled by the member that filled rectangles hidden in training images best, out of fold.

    Reference: Wilson (2019), The harmonic mean p-value for combining dependent tests, PNAS 116.

    Examples
    --------
    >>> ImageAuto(members="local_pca,filters").params()["effort"]
    'default'
    """

    name = "auto"
    modalities = ("image",)
    score_unit = "nats"

    effort: str = param(
        "default", choices=tuple(EFFORTS), help="How much work a fit may take: images, folds, and whether a network."
    )
    members: str = param("", help="The models to combine, by name; none named: those of the effort.")

    def fit(self, data: Encoded, run: Run) -> Self:
        """Fit the members, and find which of them fills hidden pixels best.

        Raises
        ------
        ParameterError
            A member is named twice, or cannot explain its scores.
        UsageError
            No model is registered under a member's name.
        """
        names, effort = self._names(run), EFFORTS[self.effort]
        rows = np.sort(np.random.default_rng([run.seed, 17]).permutation(len(data))[: effort.images])
        self.folds_, self.notes_ = np.full(len(data), -1), list[str]()
        if len(rows) < len(data):
            self.notes_.append(f"learned from a random sample of {len(rows):,} of {len(data):,} images")
        data = data.take(rows)
        self.folds_[rows] = folds = run.folds(data, effort.folds)
        with threadpool_limits(1):  # at these sizes more threads take more time, and no less until the end
            self._members = [self._fitted(name, at / len(names), data, folds, run) for at, name in enumerate(names)]
            self.weights_ = weights_of(self._members, data, folds, run)
            self.filler_ = best_filler(self._members, data, folds, run)
        return self

    def _fitted(self, name: str, start: float, data: Encoded, folds: NDArray[np.intp], run: Run) -> CrossFittedMember:
        part = 1 / len(self._names(run)) / (folds.max() + 2)

        def fit(rows: Encoded, number: int) -> Any:
            return self._create(name, run, rows).fit(rows, MemberRun(run, name, start + number * part, part))

        return CrossFittedMember.fit(name, data, folds, np.ones(len(data), dtype=np.bool_), fit)

    def _names(self, run: Run) -> list[str]:
        names = [name.strip() for name in (self.members or EFFORTS[self.effort].members).split(",") if name.strip()]
        if not names or len(set(names)) < len(names):
            raise ParameterError(f"members={self.members!r}: expected different models' names separated by commas")
        for name in names:
            if name == self.name or not isinstance(run.create(name), CanExplain):
                raise ParameterError(
                    f"members={self.members!r}: {name!r} cannot be a member, it does not explain scores"
                )
        return names

    def _create(self, name: str, run: Run, data: Encoded) -> Any:
        epochs = run.create(name).params().get("epochs")
        if epochs is None:
            return run.create(name)
        return run.create(name, epochs=min(epochs, EFFORTS[self.effort].passes(data.layout, len(data))))

    def folds(self) -> NDArray[np.intp]:
        """Return the fold of each training image, [n]; -1 for one that no member learned from."""
        return self.folds_ if self._members[0].parts else np.full(len(self.folds_), -1)

    def without(self, fold: int) -> ImageAuto:
        """Return the part that was fitted without the images of a fold."""
        part = type(self)(**self.params())
        part._members = [member.without(fold) for member in self._members]
        part.weights_, part.filler_ = self.weights_, self.filler_
        return part

    def score(self, data: Encoded) -> Scores:
        """Return the images' anomaly scores in nats, float64 [n] >= 0."""
        heard = [(member, weight) for member, weight in zip(self._members, self.weights_, strict=True) if weight > 0]
        weights = np.array([weight for _, weight in heard])
        return weighted_harmonic_mean(np.stack([member.surprisal(data) for member, _ in heard]), weights)

    def explain(self, data: Encoded) -> Cells:
        """Return each pixel's part of its image's score, and what the member that fills expects of it."""
        total, expected = np.zeros(data.flat()[0].shape), None
        for number, (member, weight) in enumerate(zip(self._members, self.weights_, strict=True)):
            if weight > 0 or number == self.filler_:
                cells = member.model.explain(data)
                total += weight * relative(cells.contribution.reshape(total.shape))
                expected = cells.expected if expected is None or number == self.filler_ else expected
        contribution = relative(total) * self.score(data)[:, None]
        assert expected is not None
        return Cells(contribution.reshape(data.values.shape), expected)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill hidden pixels by the member that did so best in training; there are no draws.

        Raises
        ------
        UsageError
            No member fills.
        """
        if self.filler_ < 0:
            raise UsageError(f"members={self.members!r}: none of them fills hidden pixels; add local_pca or a network")
        filled: Filled = self._members[self.filler_].model.impute(data, draws)
        return filled

    def use(self, device: str) -> None:
        """Run inference on this device."""
        for member in self._members:
            member.model.use(device)

    def state(self) -> ModelState:
        """Return what was learned, with the members' states."""
        state = state_of(super().state(), self._members)
        del state.arrays["folds_"]
        return state

    def restore(self, state: ModelState, create: Callable[..., Model] | None = None) -> Self:
        """Restore what `state` returned; `create(name, **params)` creates the members."""
        assert create is not None, "auto consists of other models: restore needs `create`"
        own = {name: state.values[name] for name in ("notes_", "filler_")}
        super().restore(ModelState({"weights_": state.arrays["weights_"]}, own))
        nested = {
            key: create(name, **params).restore(inner, create) for key, (name, params, inner) in state.models.items()
        }
        self._members, self.folds_ = members_of(state, nested), np.zeros(0, dtype=np.intp)
        return self
