"""An assessment of synthetic rows in plain words, from their measures."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from anomalo.evaluation.synthetic.measures import Fidelity, Usefulness
from anomalo.evaluation.synthetic.tables import Cells
from anomalo.tabular.quantities import percent

COPIES, LEANS = 0.6, 0.55
"""Rows are copies, or lean towards copies, if at least this share is nearer to a training row than to a holdout row."""
HARD, EASY = 0.65, 0.9
"""Rows are hard to distinguish from real ones up to the first AUROC, and easy from the second."""
AS_GOOD, SOMEWHAT = 0.95, 0.8
"""Trees trained on synthetic rows are as good, or somewhat as good, from these shares of the score of real rows."""
SIMILAR = 0.9
"""Columns, and pairs of related columns, of this mean similarity look right."""
REPEATS = 0.01
"""More rows than this that equal a training row, beyond what is common, are copies."""
CERTAIN = 1.64
"""A share is above a half if it is by so many standard errors."""


@dataclass(frozen=True)
class Assessment:
    """How good synthetic rows are, in words.

    Attributes
    ----------
    title : str
        In a few words.
    reasons : tuple of str
        Plain sentences.
    unchecked : tuple of str
        What could not be checked, and what it takes.
    """

    title: str
    reasons: tuple[str, ...]
    unchecked: tuple[str, ...]


def assess(found: Fidelity) -> Assessment:
    """Summarise the measures in words."""
    reasons = [_copying(found), _distinguishing(found), _teaching(found.usefulness), _columns(found)]
    return Assessment(_title(found), tuple(reason for reason in reasons if reason), unchecked(found))


def copied(found: Fidelity) -> bool:
    """Whether the rows are copies of training rows, as far as the measures show."""
    repeats = found.copied > REPEATS + 2 * found.recurring
    return repeats or _nearer(found, COPIES)


def unchecked(found: Fidelity) -> tuple[str, ...]:
    """Return one sentence for each check that was not made, with what it needs."""
    sentences = []
    if found.closeness is None and not copied(found):
        sentences.append(
            "Whether the rows were copied: this needs real rows that the generator never saw (--holdout), set aside "
            "before the fit; a part of its training rows does not serve."
        )
    if found.usefulness is None:
        sentences.append(
            "Whether models learn as much from them as from real rows: this needs a column to predict (--label) and "
            "real rows that the generator never saw (--holdout or --test)."
        )
    return tuple(sentences)


def _nearer(found: Fidelity, share: float) -> bool:
    if found.closeness is None:
        return False
    error = 0.5 / math.sqrt(len(found.closeness.to_train))
    return found.closeness.nearer_share >= max(share, 0.5 + CERTAIN * error)


def _auroc(found: Fidelity) -> float:
    holdout = found.distinguishability_holdout
    value = found.distinguishability_train if holdout is None else holdout
    return 1.0 if math.isnan(value) else value


def _taught(value: Usefulness | None) -> float:
    """Return the usefulness of synthetic rows relative to that of real rows; NaN if it is unknown."""
    if value is None:
        return float("nan")
    floor = 0.5 if value.measure == "AUROC" else 0.0
    return (value.synthetic - floor) / max(value.real - floor, 1e-9)


def _title(found: Fidelity) -> str:
    auroc, taught = _auroc(found), _taught(found.usefulness)
    if copied(found):
        return "copies of the training rows"
    if auroc >= EASY:
        return _distinguished(found)
    useful = taught >= AS_GOOD or (math.isnan(taught) and auroc <= HARD)
    word = "useful" if taught >= AS_GOOD else "like the real rows" if useful else "usable with care"
    if found.closeness is None:
        return f"{word}; whether they are copies was not checked"
    return f"{word}, but leaning towards the training rows" if _nearer(found, LEANS) else f"{word} and not copied"


def _distinguished(found: Fidelity) -> str:
    """Return the title of rows that are easy to distinguish from real ones: what their figures say of the reason."""
    if _mean(found.shapes) < SIMILAR:
        return "unlike the real rows"
    if found.pairs.trend() < SIMILAR:
        return "good columns, but relations between them differ"
    pairs = "" if math.isnan(found.pairs.trend()) else " and pairs of columns"
    return f"good columns{pairs}, but easy to distinguish from real rows"


def _copying(found: Fidelity) -> str:
    real = "training rows equal another one" if found.closeness is None else "rows that it never saw do"
    exact = f"{percent(found.copied)} of the rows equal a training row in every cell" if found.copied else ""
    exact += f", as {percent(found.recurring)} of the {real}" if found.copied and found.recurring else ""
    if found.closeness is None:
        return f"{exact}." if exact else ""
    share, membership = found.closeness.nearer_share, found.closeness.membership
    away = f" Their distance to these rows reveals which rows were in training (AUROC {membership:.2f})."
    return (
        f"{percent(share)} of the rows are nearer to a training row than to any row that the generator never saw "
        f"(50 % is expected of new rows){'; ' if exact else ''}{exact}.{away if membership >= COPIES else ''}"
    )


def _distinguishing(found: Fidelity) -> str:
    auroc = _auroc(found)
    ease = "can hardly" if auroc <= HARD else "can easily" if auroc >= EASY else "can in part"
    unseen = found.distinguishability_holdout is not None
    which = "real rows that the generator never saw" if unseen else "the training rows"
    return f"Trees {ease} distinguish them from {which} (AUROC {auroc:.2f}; 0.5 is not at all)."


def _teaching(value: Usefulness | None) -> str:
    if value is None:
        return ""
    taught = _taught(value)
    if math.isnan(taught):
        return f"They hold too few values of {value.label!r} to learn it from them."
    well = "as well as" if taught >= AS_GOOD else "nearly as well as" if taught >= SOMEWHAT else "far worse than"
    name = "AUROC" if value.measure == "AUROC" else "R²"
    return (
        f"They teach trees to predict {value.label!r} {well} real rows do "
        f"({name} {value.synthetic:.3f}, from real rows {value.real:.3f})."
    )


def _columns(found: Fidelity) -> str:
    trend = found.pairs.trend()
    pairs = "no two columns are related" if math.isnan(trend) else f"pairs of related columns {trend:.3f}"
    return (
        f"Similarity of single columns {_mean(found.shapes):.3f}, {pairs}; together {found.quality:.3f} (1 is equal)."
    )


def _mean(shapes: Cells) -> float:
    known = shapes[~np.isnan(shapes)]
    return float(known.mean()) if len(known) else 0.0
