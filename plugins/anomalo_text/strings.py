"""The model of texts: their likelihood, character by character, and their reconstruction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from anomalo.neural import NeuralModel
from anomalo.plugin import FIRST_LEVEL, UNSEEN, Cells, Encoded, Filled, Floats, Layout, Scores, param, row_uniform
from anomalo_text.codes import END, classes, known, lengths
from anomalo_text.corruption import corrupted
from anomalo_text.filling import written
from anomalo_text.network import StringNetwork

ROWS = 512
"""Texts handled at a time."""
WIDTHS = (8, 16, 32, 64)
"""Texts of at most so many cells are handled together; a text's own length decides."""
WITHOUT_COLUMN = 0.05
"""So many texts of a batch do not say their column, so that texts of other columns can be scored."""


@dataclass(kw_only=True)
class Strings(NeuralModel[StringNetwork]):
    """A recurrent denoising autoencoder of characters, one for the texts of all columns.

    A reader makes a code z of a corrupted text, a writer predicts the text from z, the column and the characters
    before: loss = -mean log p(character | those before it, column, z). For the other texts z is 0, from which the
    writer learns the likelihood of a text that it has not read. The score is that negative log-likelihood.

    Reference: Cho et al. (2014), Learning phrase representations using RNN encoder-decoder for statistical machine
    translation, EMNLP; Vincent et al. (2008), Extracting and composing robust features with denoising autoencoders,
    ICML; Graves (2013), Generating sequences with recurrent neural networks, arXiv:1308.0850.

    Examples
    --------
    >>> Strings(hidden=32).params()["hidden"]
    32
    """

    name = "strings"
    modalities = ("text",)
    score_unit = "nats"

    width: int = param(32, low=1, high=10_000, help="Width of a character's embedding.")
    hidden: int = param(96, low=1, high=10_000, help="Width of the recurrent states.")
    latent: int = param(32, low=1, high=10_000, help="Width of a text's code.")
    denoising: float = param(0.3, low=0.0, high=0.95, help="Share of the texts that are reconstructed in training.")
    hide: float = param(0.15, low=0.0, high=0.95, help="Share of the characters hidden from the reader in training.")
    floor: float = param(0.01, low=1e-6, high=0.5, help="Share of the probability that all characters have equally.")
    epochs: int = param(10, low=1, high=100_000, help="Passes over the texts at most; training stops early.")
    learning_rate: float = param(1e-2, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")
    batch_size: int = param(256, low=1, high=1_000_000, help="Texts in one gradient step, at most.")

    @property
    def chunk(self) -> int:
        """Texts that inference handles at a time."""
        return ROWS

    def build(self, layout: Layout) -> StringNetwork:
        """Return the network for this alphabet and these columns."""
        return StringNetwork(layout, self.width, self.hidden, self.latent, self.floor)

    def loss(self, net: StringNetwork, x: Tensor, observed: Tensor) -> Tensor:
        """Return the mean surprisal of the characters, in nats, of texts some of which are read before."""
        column, characters = _split(x)
        characters = characters[:, : int(lengths(characters).max())]
        hidden = torch.rand(len(column), device=x.device) < WITHOUT_COLUMN
        code, which = net.nothing(column), torch.zeros((), device=x.device)
        read = torch.rand(len(column), device=x.device) < self.denoising
        if read.any():
            found = net.encode(corrupted(characters[read], self.hide, net.codes))
            code = code.masked_scatter(read[:, None].expand_as(code), found.to(code.dtype))
            certain = column[read] >= FIRST_LEVEL
            target = (column[read] - FIRST_LEVEL).clamp(min=0)
            which = (F.cross_entropy(net.which(found).float(), target, reduction="none") * certain).sum()
        characters_loss = net.mean_surprisal(torch.where(hidden, UNSEEN, column), characters, code)
        return characters_loss + which / lengths(characters).sum()

    def score(self, data: Encoded) -> Scores:
        """Return -log p(text | column) in nats, float64 [n]: of all its characters and its end."""
        total: Scores = self._surprisals(data).sum(axis=1)
        return total

    def explain(self, data: Encoded) -> Cells:
        """Return the surprisal of each character, and the characters of the reconstruction.

        The column contributes nothing: the likelihood is that of the text given its column.
        """

        def expected(x: Tensor, observed: Tensor) -> tuple[Tensor]:
            column, characters = _split(x)
            code = self._code(characters)
            best = self.net(column, characters, code)[:, :, 1:].argmax(dim=2) + END
            within = torch.where(_up_to_end(characters), best, END)
            return (torch.cat([self._column(code)[:, None], within], dim=1),)

        return Cells(self._surprisals(data), self._by_length(expected, END, data.values, data.observed))

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill hidden characters by the most probable ones, from the first to the last, given all that are seen.

        A hidden column is the one that the code says.
        """
        points = [self._written(data, None)]
        points += [self._written(data, level) for level in row_uniform(data, self.seed_, draws).astype(np.float32)]
        point, *drawn = (np.where(data.observed, data.values, found) for found in points)
        return Filled(point, np.stack(drawn) if drawn else None)

    def _surprisals(self, data: Encoded) -> Scores:
        def of(x: Tensor, observed: Tensor) -> tuple[Tensor]:
            column, characters = _split(x)
            chance = self.net(column, characters, self.net.nothing(column))
            counted = known(characters) & _up_to_end(characters)
            return (F.pad(-chance.gather(2, classes(characters)[:, :, None]).squeeze(2) * counted, (1, 0)),)

        return self._by_length(of, 0, data.values, data.observed).astype(np.float64)

    def _written(self, data: Encoded, levels: Floats | None) -> Floats:
        def of(x: Tensor, observed: Tensor, *level: Tensor) -> tuple[Tensor]:
            column, characters = _split(x)
            code, uniform = self._code(characters), level[0][:, 1:] if level else None
            column = torch.where(observed[:, 0], column, self._column(code))
            cells = written(self.net, column, characters, code, observed[:, 1:], uniform)
            return (torch.cat([column[:, None], cells], dim=1),)

        rows = (data.values, data.observed) if levels is None else (data.values, data.observed, levels)
        return self._by_length(of, END, *rows)

    def _code(self, characters: Tensor) -> Tensor:
        """Return the codes of texts; 0 if the reader has not been trained."""
        return self.net.encode(characters) if self.denoising else self.net.nothing(characters)

    def _column(self, code: Tensor) -> Tensor:
        """Return the most probable column of texts, by their codes."""
        column: Tensor = self.net.which(code).argmax(dim=1) + FIRST_LEVEL
        return column

    def _by_length(self, function: Callable[..., Sequence[Tensor]], behind: int, *rows: NDArray[Any]) -> Floats:
        """Apply a function of (x, observed, …) to rows of similar length at a time; the cells after these are `behind`.

        The width is that of a row's own length, not of those beside it, so that its result depends on it alone.
        """
        cells = rows[0].shape[1] - 1
        ended = rows[0][:, 1:] == END
        sizes = np.where(ended.any(axis=1), ended.argmax(axis=1) + 1, cells)
        widths = np.array([*(width for width in WIDTHS if width < cells), cells])
        group = np.searchsorted(widths, sizes)
        found = np.full(rows[0].shape, behind, dtype=np.float32)
        for at, width in enumerate(widths):
            mine = np.flatnonzero(group == at)
            if len(mine):
                (part,) = self.in_chunks(function, *(array[mine, : 1 + width] for array in rows))
                found[mine, : 1 + width] = part
        return found


def _split(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the codes of the columns [n] and of the characters [n, length], int64."""
    codes = x.long()
    return codes[:, 0], codes[:, 1:]


def _up_to_end(characters: Tensor) -> Tensor:
    at = torch.arange(characters.shape[1], device=characters.device)
    return at < lengths(characters)[:, None]
