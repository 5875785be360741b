"""A recurrent autoencoder of characters: a code of the whole text, and the characters one after the other."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from anomalo.plugin import Layout
from anomalo_text.codes import classes, known, lengths
from anomalo_text.recurrent import Recurrent


class StringNetwork(nn.Module):
    """Reads a text into a code z, and writes it: p(text | column, z) is the product of p(character | those before it).

    With z = 0 it is a language model, whose probabilities of all texts sum to 1. Each p is a mixture of the
    network's and, with a small weight, of equal ones, so that none is 0.

    Parameters
    ----------
    layout : Layout
        Of rows of texts.
    width : int
        Of a character's embedding.
    hidden : int
        Of the recurrent states.
    latent : int
        Of the code.
    floor : float
        The weight of equal probabilities.
    """

    def __init__(self, layout: Layout, width: int, hidden: int, latent: int, floor: float) -> None:
        super().__init__()
        columns, alphabet = layout.blocks[0].size, layout.blocks[1].size
        self.latent, self.floor, self.codes = latent, floor, alphabet + 2
        self.start = self.codes
        """Stands before the first character."""
        self.character = nn.Embedding(self.codes + 1, width)
        self.column = nn.Embedding(columns + 2, hidden)
        self.reader = Recurrent(width, hidden)
        self.code = nn.Linear(hidden, latent)
        self.which = nn.Linear(latent, max(columns, 1))
        self.condition = nn.Linear(latent, hidden)
        self.first = nn.Linear(hidden, hidden)
        self.every = nn.Linear(hidden, width)
        self.writer = Recurrent(width, hidden)
        self.head = nn.Linear(hidden, alphabet + 1)

    def encode(self, characters: Tensor) -> Tensor:
        """Return the codes [n, latent] of texts, int64 [n, length]; hidden characters are `MISSING`."""
        inputs = self.character(characters)
        _, last = self.reader(inputs, inputs.new_zeros(len(inputs), self.reader.hidden), lengths(characters).cpu())
        code: Tensor = self.code(last)
        return code

    def nothing(self, column: Tensor) -> Tensor:
        """Return the codes [n, latent] of texts of which nothing is known, for columns [n]."""
        return torch.zeros(len(column), self.latent, device=column.device)

    def conditions(self, column: Tensor, code: Tensor) -> tuple[Tensor, Tensor]:
        """Return the writer's first state [n, hidden] and what is added to its every input [n, 1, width]."""
        both = torch.tanh(self.column(column) + self.condition(code))
        return torch.tanh(self.first(both)), self.every(both)[:, None]

    def previous(self, characters: Tensor) -> Tensor:
        """Return the codes before each character, `start` before the first one."""
        return torch.cat([torch.full_like(characters[:, :1], self.start), characters[:, :-1]], dim=1)

    def log_probabilities(self, states: Tensor) -> Tensor:
        """Return log p [..., classes] of the next character for states [..., hidden]."""
        found = F.log_softmax(self.head(states).float(), dim=-1)
        equal = torch.full_like(found, math.log(self.floor / found.shape[-1]))
        return torch.logaddexp(found + math.log1p(-self.floor), equal)

    def forward(self, column: Tensor, characters: Tensor, code: Tensor) -> Tensor:
        """Return log p of each next character given those before it, [n, length, classes]."""
        sizes = torch.full((len(column),), characters.shape[1])
        states, _ = pad_packed_sequence(self._states(column, characters, code, sizes), batch_first=True)
        return self.log_probabilities(states)

    def mean_surprisal(self, column: Tensor, characters: Tensor, code: Tensor) -> Tensor:
        """Return the mean of -log p over all known characters up to the ends, in nats."""
        sizes = lengths(characters).cpu()
        states = self._states(column, characters, code, sizes)
        targets = pack_padded_sequence(characters, sizes, batch_first=True, enforce_sorted=False).data
        found = self.log_probabilities(states.data).gather(1, classes(targets)[:, None]).squeeze(1)
        seen = known(targets)
        return -(found * seen).sum() / seen.sum().clamp(min=1)

    def _states(self, column: Tensor, characters: Tensor, code: Tensor, sizes: Tensor) -> PackedSequence:
        state, every = self.conditions(column, code)
        states, _ = self.writer(self.character(self.previous(characters)) + every, state, sizes)
        found: PackedSequence = states
        return found
