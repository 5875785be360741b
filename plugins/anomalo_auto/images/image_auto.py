"""The default model `auto` of images: several models, cross-fitted and combined by p-values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from anomalo.errors import ParameterError, UsageError
from anomalo.plugin import (
    CanExplain,
    Cells,
    Encoded,
    Filled,
    Layout,
    Model,
    ModelState,
    Plan,
    Run,
    Scores,
    param,
    relative,
)
from anomalo_auto.cross_fitted_member import CrossFittedMember, members_of, state_of
from anomalo_auto.fusion import harmonic_mean, shares
from anomalo_auto.images.effort import EFFORTS, plan
from anomalo_auto.images.evidence import best_filler, heard_members
from anomalo_auto.member_run import MemberRun


@dataclass(kw_only=True)
class ImageAuto(Model):
    """Images near to others, textures of patches and of filters, and a network that finds defects, combined.

    Every member is fitted on all images, and once without each fold of them. One looks at the shape of the whole,
    another at the texture, and which of them sees anything depends on the images: those count that find synthetic
    defects in images that they did not learn from about as well as the best of them. Networks that are taught such
    defects count in any case.

    By its scores of the training images a member's score becomes a surprisal e = -log p; the image's score is -log of
    the harmonic mean of the p-values of the M members that count,

        s = log (1/M sum_m exp(e_m))   [nats],

    so that one member alone can raise it. A pixel's part of the score is the mean of its shares of the members' scores,
    weighted by how much each raises the image's.

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
    taught: str = param("conv_denoising", help="Members that learn to find synthetic defects: they count in any case.")

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
            share = 1 / len(names)
            self._members = [self._fitted(name, at * share, share, data, folds, run) for at, name in enumerate(names)]
            heard = heard_members(self._members, _list(self.taught), data, folds, run)
            filler = best_filler(self._members, data, folds, run)
        kept = [number for number in range(len(names)) if number in (*heard, filler)]
        self.heard_ = [kept.index(number) for number in heard]
        self.filler_ = kept.index(filler) if filler >= 0 else -1
        self._members = [self._members[number] for number in kept]
        return self

    def plan(self, layout: Layout, rows: int, goals: frozenset[str]) -> Plan:
        """Return what a fit of so many images is going to do, whatever for."""
        effort = EFFORTS[self.effort]
        return plan(effort, _list(self.members or effort.members), layout, rows)

    def _fitted(
        self, name: str, start: float, share: float, data: Encoded, folds: NDArray[np.intp], run: Run
    ) -> CrossFittedMember:
        """Fit a member; the progress goes from `start` on by `share`."""
        part = share / (folds.max() + 2)

        def fit(rows: Encoded, number: int) -> Any:
            return self._create(name, run).fit(rows, MemberRun(run, name, start + number * part, part))

        return CrossFittedMember.fit(name, data, folds, np.ones(len(data), dtype=np.bool_), fit)

    def _names(self, run: Run) -> list[str]:
        names = _list(self.members or EFFORTS[self.effort].members)
        if not names or len(set(names)) < len(names):
            raise ParameterError(f"members={self.members!r}: expected different models' names separated by commas")
        for name in names:
            if name == self.name or not isinstance(run.create(name), CanExplain):
                raise ParameterError(
                    f"members={self.members!r}: {name!r} cannot be a member, it does not explain scores"
                )
        return names

    def _create(self, name: str, run: Run) -> Any:
        model, effort = run.create(name), EFFORTS[self.effort]
        if "pixels" not in model.params():  # it has no network
            return model
        epochs, pixels = model.params()["epochs"], model.params()["pixels"]
        return run.create(name, epochs=min(epochs, effort.epochs), pixels=min(pixels, effort.pixels))

    def folds(self) -> NDArray[np.intp]:
        """Return the fold of each training image, [n]; -1 for one that no member learned from."""
        return self.folds_ if self._members[0].parts else np.full(len(self.folds_), -1)

    def without(self, fold: int) -> ImageAuto:
        """Return the part that was fitted without the images of a fold."""
        part = type(self)(**self.params())
        part._members = [member.without(fold) for member in self._members]
        part.heard_, part.filler_ = self.heard_, self.filler_
        return part

    def score(self, data: Encoded) -> Scores:
        """Return the images' anomaly scores in nats, float64 [n] >= 0."""
        return harmonic_mean(self._surprisals(data))

    def _surprisals(self, data: Encoded) -> Scores:
        """Return the surprisals by the members that count, float64 [members, n] in nats."""
        return np.stack([self._members[number].surprisal(data) for number in self.heard_])

    def explain(self, data: Encoded) -> Cells:
        """Return each pixel's part of its image's score, and what the member that fills expects of it."""
        surprisals, total = self._surprisals(data), np.zeros(data.flat()[0].shape)
        explained = {number: self._members[number].model.explain(data) for number in self._asked()}
        for number, raised in zip(self.heard_, shares(surprisals), strict=True):
            total += relative(explained[number].contribution.reshape(total.shape)) * raised[:, None]
        contribution = relative(total) * harmonic_mean(surprisals)[:, None]
        return Cells(contribution.reshape(data.values.shape), explained[self._asked()[0]].expected)

    def _asked(self) -> list[int]:
        """Return the numbers of the members that explain, the one that fills first."""
        return list(dict.fromkeys([*([self.filler_] if self.filler_ >= 0 else []), *self.heard_]))

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
        learned = {name: state.values[name] for name in ("notes_", "filler_", "heard_")}
        super().restore(ModelState({}, learned))
        nested = {
            key: create(name, **params).restore(inner, create) for key, (name, params, inner) in state.models.items()
        }
        self._members, self.folds_ = members_of(state, nested), np.zeros(0, dtype=np.intp)
        return self


def _list(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]
