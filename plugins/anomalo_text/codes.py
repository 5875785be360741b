"""What the codes of a text's characters say: where it ends, and which classes a network predicts."""

from torch import Tensor

from anomalo.plugin import FIRST_LEVEL, MISSING, UNSEEN

END = FIRST_LEVEL
"""The code of the end: the alphabet's first level."""


def lengths(characters: Tensor) -> Tensor:
    """Return how many cells [n] each row of codes [n, length] has up to its first end, that included; at least 1."""
    ended = characters == END
    return (ended.cumsum(dim=1) == 0).sum(dim=1).add(1).clamp(max=characters.shape[1])


def classes(characters: Tensor) -> Tensor:
    """Return codes as classes from 0: unseen, the end, the alphabet; a missing character is of no class, and gets 0."""
    return (characters - UNSEEN).clamp(min=0)


def known(characters: Tensor) -> Tensor:
    """Return which codes say anything: all but `MISSING`."""
    return characters != MISSING
