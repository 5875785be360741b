"""Mode-specific normalisation: a number as the mode that it belongs to, and its position within it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from anomalo.plugin import Floats, Mask, Parts, TableTransform

Codes = NDArray[np.int64]

POSITION_SCALE = math.sqrt(12)
"""A uniform position from 0 to 1 has a variance of 1 / 12."""
SMALLEST_SHARE = 1e-6
"""Normal scores are of shares between this and one less it."""


@dataclass(frozen=True)
class ModeCodes:
    """Which of a row's codes stand for the modes of a number.

    Attributes
    ----------
    code : int
        The column of codes, which the number's atoms and missing values share, if it has any; -1 if there is none.
    first : int
        The code of the first mode.
    """

    code: int
    first: int


@dataclass(frozen=True)
class ModeNormalisation:
    """Splits normal scores at their quantiles into `count` modes that are equally frequent.

    Which mode it is becomes a code, and the number says where in the mode it is: uniform, with mean 0 and variance 1.
    A generator that chooses among modes can leave gaps between values, and bend relations, as a smooth one cannot.

    Reference: Xu et al. (2019), Modeling tabular data using conditional GAN, NeurIPS, section 4.2; there the modes are
    those of a Gaussian mixture, here normal scores have none of their own.

    Parameters
    ----------
    transform : TableTransform
        Gives the normal scores.
    count : int
        Modes of each number; 1 leaves the normal scores as they are.
    """

    transform: TableTransform
    count: int

    @property
    def mode_codes(self) -> tuple[ModeCodes, ...]:
        """The codes of each number's modes."""
        found, added = [ModeCodes(-1, 0)] * self.transform.width, len(self.transform.sizes)
        for column in self.transform.columns:
            if column.number >= 0 and column.code >= 0:
                found[column.number] = ModeCodes(column.code, len(column.atoms))
            elif column.number >= 0 and self.count > 1:
                found[column.number], added = ModeCodes(added, 0), added + 1
        return tuple(found)

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many codes each of a row's codes can be."""
        sizes = list(self.transform.sizes)
        for at in self.mode_codes:
            if at.code == len(sizes):
                sizes.append(self.count)
            elif at.code >= 0:
                sizes[at.code] += self.count - 1
        return tuple(sizes)

    def to_modes(self, parts: Parts) -> Parts:
        """Return rows with every normal score as a mode and a position in it."""
        if self.count == 1:
            return parts
        numbers, allowed = np.zeros_like(parts.numbers), list(parts.allowed or ())
        codes = np.zeros((len(parts.codes), len(self.sizes)), dtype=np.int64)
        codes[:, : parts.codes.shape[1]] = parts.codes
        share = ndtr(parts.numbers.astype(np.float64)) * self.count
        mode = np.minimum(share, self.count - 1).astype(np.int64)
        for number, at in enumerate(self.mode_codes):
            known, has_code = parts.known_numbers[:, number], at.code < parts.codes.shape[1]
            numbers[known, number] = (share - mode - 0.5)[known, number] * POSITION_SCALE
            code = codes[:, at.code]
            codes[:, at.code] = np.where(known, at.first + mode[:, number], code + (self.count - 1) * (code > at.first))
            if parts.allowed is not None:
                before = allowed[at.code] if has_code else np.ones((len(codes), 1), dtype=bool)
                after = self._allowed(before, at.first, np.where(known, mode[:, number], -1))
                allowed[at.code : at.code + 1] = [after]
        return dataclasses.replace(
            parts, numbers=numbers, codes=codes, allowed=None if parts.allowed is None else tuple(allowed)
        )

    def _allowed(self, before: Mask, first: int, mode: Codes) -> Mask:
        """Return which codes are possible when one of them becomes `count` modes; `mode` is -1 where not known."""
        modes = before[:, first : first + 1] & ((mode[:, None] < 0) | (mode[:, None] == np.arange(self.count)))
        return np.concatenate([before[:, :first], modes, before[:, first + 1 :]], axis=1)

    def from_modes(self, numbers: Floats, codes: Codes) -> tuple[Floats, Codes]:
        """Return normal scores [n, width] and codes as the transform knows them."""
        if self.count == 1:
            return numbers, codes
        scores, plain = np.zeros_like(numbers), codes.copy()
        for number, at in enumerate(self.mode_codes):
            code = codes[:, at.code]
            mode = np.clip(code - at.first, 0, self.count - 1)
            position = np.clip(numbers[:, number] / POSITION_SCALE + 0.5, 0, 1)
            scores[:, number] = ndtri(np.clip((mode + position) / self.count, SMALLEST_SHARE, 1 - SMALLEST_SHARE))
            plain[:, at.code] = np.minimum(code, at.first) + np.maximum(code - at.first - self.count + 1, 0)
        return scores, plain[:, : len(self.transform.sizes)]
