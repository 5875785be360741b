"""Tables that were read with a wrong encoding: letters with accents, and what is left of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import numpy as np
from cell_errors import Injected
from numpy.typing import NDArray

Texts = NDArray[np.object_]
Random = np.random.Generator

ACCENTS = {"a": "áàâäãå", "e": "éèêë", "i": "íìîï", "o": "óòôöõø", "u": "úùûü", "c": "ç", "n": "ñ", "y": "ý", "s": "š"}
ACCENTS |= {"A": "ÁÄÅ", "E": "ÉÈ", "O": "ÖÓ", "U": "ÜÚ", "C": "Ç"}
MARKS = "\u0323\u0324\u0325\u0326\u0329\u032a\u032c\u0330\u0331"
SHARES = (0.01, 0.03, 0.1, 0.3)
SURVIVES = 0.1


def misread(found: Injected, random: Random) -> Injected:
    """Return a table with errors in which some letters are accented in truth, and most of them damaged in one way."""
    dirty, clean, kinds = found.dirty.copy(), found.clean.copy(), found.kinds.copy()
    way = _way(random)
    for at in range(clean.shape[1]):
        if random.random() < 0.4 or len(np.unique(clean[:, at].astype(str))) < 0.1 * len(clean):
            continue
        known: dict[str, tuple[str, str]] = {}
        for row in np.flatnonzero(random.random(len(clean)) < random.choice(SHARES)):
            text = str(clean[row, at])
            if text not in known:
                accented = _accented(text, random)
                known[text] = accented, accented if random.random() < SURVIVES else _damaged(accented, way)
            if dirty[row, at] == text and known[text][0] != text:
                clean[row, at], dirty[row, at] = known[text]
                kinds[row, at] = "damaged" if dirty[row, at] != clean[row, at] else ""
    return Injected(dirty, clean, kinds)


def _accented(text: str, random: Random) -> str:
    places = [at for at, letter in enumerate(text) if letter in ACCENTS]
    letters = list(text)
    for at in random.permutation(places)[: int(random.integers(1, 4))]:
        letters[int(at)] = str(random.choice(list(ACCENTS[text[int(at)]])))
    return "".join(letters)


def _damaged(text: str, way: Callable[[str], str]) -> str:
    return "".join(letter if letter.isascii() else way(letter) for letter in text)


def _way(random: Random) -> Callable[[str], str]:
    """Return how a letter with an accent is damaged in a table."""
    mark = str(random.choice(["\ufffd", "\ufffd", "?", "\ufffd\ufffd", "\ufffd_", "\u00ef\u00bf\u00bd"]))
    marks = random.choice(list(MARKS), 5)
    ways: tuple[Callable[[str], str], ...] = (
        lambda letter: letter.encode().decode("cp1252", "replace"),
        lambda letter: letter.encode().decode("latin-1"),
        lambda letter: mark,
        lambda letter: mark,
        lambda letter: unicodedata.normalize("NFD", letter)[0] + str(marks[ord(letter) % 5]),
        lambda letter: f"&#{ord(letter)};",
    )
    return ways[int(random.integers(len(ways)))]
