"""How plausible a text in a Latin script is, to choose between the encodings that could have written its bytes."""

from __future__ import annotations

_LETTERS = "äöüßÄÖÜéèêëÉÈàâáÁÀçÇñÑóÓôíÍîïúÚûåÅæÆøØãõÃÕœŒìòùąćęłńśźżĄĆĘŁŃŚŹŻčďěňřšťůžČĎĚŇŘŠŤŮŽőűŐŰăşţğıİŞĞÊÂÎÔÇ"
"""Letters that words are full of."""
_RARE = "þðýÝÞÐÿľĺŕ"
_MARKS = "“”‘’„‚–—…•€°£§²³µ·«»½¼¾±×™®©ªº†"  # noqa: RUF001
"""Marks that stand beside words, but not inside them."""
_OPEN, _CLOSED = "“‘„«", "”’»"  # noqa: RUF001
_OPENING = "¿¡"
_APOSTROPHES = "’·"  # noqa: RUF001


def plausibility(text: str, rare: str = "") -> float:
    """Return the sum over a text's characters beyond ASCII: positive for what people write, negative for what not.

    Parameters
    ----------
    rare : str
        Letters that count for nothing in this encoding, since its users hardly have them.

    Examples
    --------
    >>> plausibility("café") > 0 > plausibility("caf‡t")
    True
    """
    found = 0.0
    for at, character in enumerate(text):
        if character > "\x7f":
            before, after = text[at - 1 : at], text[at + 1 : at + 2]
            found += 0.0 if character in rare else _weight(character, before, after)
    return found


def _weight(character: str, before: str, after: str) -> float:
    inside = before.isalpha() and after.isalpha()
    if character in _MARKS:
        opens, closes = character in _OPEN and not before.isalnum(), character in _CLOSED and not after.isalnum()
        exact = character in "€°" or (character in "²³" and before.isalpha())
        usual = 1.2 if opens or closes or exact else 0.7
        return usual if not inside or character in _APOSTROPHES else -1.0
    if character in _OPENING:
        return 0.5 if not before.isalnum() and after.isalpha() else -1.0
    if character in _RARE:
        return 0.2
    if character not in _LETTERS:
        return -0.2 if character.isalpha() else -1.0
    if (character.isupper() and before.islower()) or (character.islower() and after.isupper()):
        return -0.5
    return 1.0 if before.isalpha() or after.isalpha() else 0.3
