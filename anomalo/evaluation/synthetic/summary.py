"""What the figures of synthetic rows come to, in plain words."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from anomalo.evaluation.synthetic.measures import Fidelity, Usefulness
from anomalo.evaluation.synthetic.tables import Cells

COPIES, LEANS = 0.6, 0.55
"""From these shares of rows nearer to a training row than to any holdout row on, they are copies, or lean that way."""
HARD, EASY = 0.65, 0.9
"""Up to the first AUROC rows are hard to tell from real ones, from the second on they are easy to tell."""
AS_GOOD, SOMEWHAT = 0.95, 0.8
"""Shares of what real rows teach."""
GOOD_COLUMNS = 0.9
"""Columns of this mean similarity look right."""
REPEATS = 0.01
"""More rows than this that equal a training row, beyond what is common, are copies."""
CERTAIN = 1.64
"""A share is above a half if it is by so many standard errors."""


@dataclass(frozen=True)
class Verdict:
    """What to think of synthetic rows.

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


def judge(found: Fidelity) -> Verdict:
    """Say what the figures come to."""
    reasons = [_copying(found), _telling(found), _teaching(found.usefulness), _columns(found)]
    return Verdict(_title(found), tuple(reason for reason in reasons if reason), unchecked(found))


def copied(found: Fidelity) -> bool:
    """Whether the rows are copies of training rows, as far as that can be seen."""
    repeats = found.copied > REPEATS + 2 * (found.recurring or 0.0)
    return repeats or _nearer(found, COPIES)


def unchecked(found: Fidelity) -> tuple[str, ...]:
    """Say which checks were not made, and what they take."""
    sentences = []
    if found.closeness is None:
        sentences.append(
            "Whether the rows were copied: that takes real rows that the generator never saw (--holdout), set aside "
            "before it is fitted; a split of its training rows is none."
        )
    if found.usefulness is None:
        sentences.append(
            "Whether models learn as much from them as from real rows: that takes a column to predict (--label) and "
            "real rows that the generator never saw (--holdout or --test)."
        )
    return tuple(sentences)


def _nearer(found: Fidelity, share: float) -> bool:
    if found.closeness is None:
        return False
    error = 0.5 / math.sqrt(len(found.closeness.to_train))
    return found.closeness.nearer_share >= max(share, 0.5 + CERTAIN * error)


def _told(found: Fidelity) -> float:
    value = found.told_from_train if found.told_from_holdout is None else found.told_from_holdout
    return 1.0 if math.isnan(value) else value


def _taught(value: Usefulness | None) -> float:
    """Return which share of what real rows teach the synthetic ones do; NaN if that is not known."""
    if value is None:
        return float("nan")
    floor = 0.5 if value.measure == "AUROC" else 0.0
    return (value.synthetic - floor) / max(value.real - floor, 1e-9)


def _title(found: Fidelity) -> str:
    told, taught = _told(found), _taught(found.usefulness)
    if copied(found):
        return "copies of the training rows"
    if told >= EASY:
        columns = _mean(found.shapes) >= GOOD_COLUMNS
        return "good columns, but relations between them are lost" if columns else "unlike the real rows"
    useful = taught >= AS_GOOD or (math.isnan(taught) and told <= HARD)
    word = "useful" if taught >= AS_GOOD else "like the real rows" if useful else "usable with care"
    if found.closeness is None:
        return f"{word}; whether they are copies was not checked"
    return f"{word}, but leaning towards the training rows" if _nearer(found, LEANS) else f"{word} and not copied"


def _copying(found: Fidelity) -> str:
    exact = f"; {100 * found.copied:.2f} % equal a training row in every cell" if found.copied else ""
    if found.closeness is None:
        return f"{100 * found.copied:.2f} % of the rows equal a training row in every cell." if found.copied else ""
    share, giving = found.closeness.nearer_share, found.closeness.membership
    away = f" Who was in training can be told from their distance to these rows (AUROC {giving:.2f})."
    return (
        f"{100 * share:.1f} % of the rows are nearer to a training row than to any row that the generator never saw "
        f"(50 % is what new rows are){exact}.{away if giving >= COPIES else ''}"
    )


def _telling(found: Fidelity) -> str:
    told = _told(found)
    ease = "can hardly" if told <= HARD else "can easily" if told >= EASY else "can in part"
    which = "the training rows" if found.told_from_holdout is None else "real rows that the generator never saw"
    return f"Trees {ease} tell them from {which} (AUROC {told:.2f}; 0.5 is not at all)."


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
    return f"Likeness of single columns {_mean(found.shapes):.3f}, {pairs}; together {found.quality:.3f} (1 is equal)."


def _mean(shapes: Cells) -> float:
    known = shapes[~np.isnan(shapes)]
    return float(known.mean()) if len(known) else 0.0
