"""Which encoding a text file is in: UTF-8 where its bytes allow it, else recognised from a sample."""

from __future__ import annotations

import codecs
from typing import BinaryIO

from anomalo.errors import SourceError
from anomalo.tabular.reading.source import LocalFile
from anomalo.tabular.text.packed import opened
from anomalo.tabular.text.plausibility import plausibility

UTF8 = ("utf-8", "utf-8-sig")
"""The encodings that Arrow reads."""
_CHUNK = 1 << 20
_SAMPLE = 1 << 16
# The longer mark first: that of UTF-16 begins that of UTF-32.
_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LATIN = {
    "cp1252": "ŠšŽžŒœÿ",
    "mac_roman": "Ÿÿ",
    "cp850": "",
    "cp1250": "",
    "iso8859_2": "",
    "cp1254": "Œœ",
    "iso8859_15": "ŠšŽžŒœ",
}
"""Encodings of Latin scripts, the most frequent first, each with the letters whose bytes another one uses more."""


def named(encoding: str) -> str:
    """Return an encoding as messages call it.

    Examples
    --------
    >>> named("utf-8-sig"), named("utf-16-le"), named("cp1252")
    ('UTF-8', 'UTF-16', 'cp1252')
    """
    for form in ("utf-8", "utf-16", "utf-32"):
        if encoding.lower().replace("_", "-").startswith(form):
            return form.upper()
    return encoding


def recognise(file: LocalFile) -> str:
    """Return the encoding of a text file as Python names it.

    The file is read up to its first bytes that are not ASCII: they are UTF-8, or belong to another encoding.

    Raises
    ------
    SourceError
        The file holds no text.
    """
    with opened(file) as stream:
        start = stream.read(_CHUNK)
        marked = next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)
        if marked:
            return marked
        if b"\0" in start:
            return _without_mark(file, start)
        chunk = start
        while chunk:
            if not chunk.isascii():
                return _of_bytes(chunk, stream)
            chunk = stream.read(_CHUNK)
    return "utf-8"


def _without_mark(file: LocalFile, start: bytes) -> str:
    """Return which UTF-16 a text with zero bytes is: in one, every second byte of an ASCII character is zero."""
    even, odd = start[::2].count(0), start[1::2].count(0)
    for encoding, zeros, others in (("utf-16-le", odd, even), ("utf-16-be", even, odd)):
        if zeros > len(start) / 20 and others < zeros / 100 and _is_text(start, encoding):
            return encoding
    raise SourceError(f"{file} is not a text file; give a table as text, a workbook, Parquet, Arrow or JSON lines")


def _is_text(start: bytes, encoding: str) -> bool:
    text = start[: len(start) // 2 * 2].decode(encoding, errors="replace")
    return all(character >= " " or character in "\t\r\n" for character in text)


def _of_bytes(chunk: bytes, stream: BinaryIO) -> str:
    """Return the encoding of bytes that are not all ASCII, with what follows them."""
    chunk += stream.read(_SAMPLE)
    if _is_utf8(chunk):
        return "utf-8"
    lines = [line for line in chunk.splitlines(keepends=True) if not line.isascii()]
    return guess(b"".join(lines)[:_SAMPLE])


def _is_utf8(chunk: bytes) -> bool:
    """Whether bytes are UTF-8: damage in a text with more characters beyond ASCII than that is no other encoding."""
    text = chunk.decode("utf-8", errors="ignore")
    beyond = sum(character > "\x7f" for character in text)
    bad = len(chunk) - len(text.encode())
    cut = bad <= 3 and not _ends_whole(chunk)
    return beyond > bad or (cut and beyond > 0)


def _ends_whole(chunk: bytes) -> bool:
    try:
        chunk[-4:].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.reason != "unexpected end of data"
    return True


def guess(sample: bytes) -> str:
    """Return the most plausible encoding of bytes that are not UTF-8.

    Examples
    --------
    >>> guess("Köln, München".encode("latin-1")), guess("東京,大阪,京都".encode("shift_jis"))
    ('cp1252', 'cp932')
    """
    import charset_normalizer  # not above: it is slow to import

    wide = ["utf_16", "utf_16_le", "utf_16_be", "utf_32", "utf_32_le", "utf_32_be", "utf_7"]
    best = charset_normalizer.from_bytes(sample, cp_exclusion=wide).best()
    if best is not None and _is_other_script(str(best)):
        return str(best.encoding)
    scores = {}
    for encoding, rare in _LATIN.items():
        text = sample.decode(encoding, errors="replace")
        scores[encoding] = plausibility(text, rare)
    return max(scores, key=lambda encoding: scores[encoding])


def _is_other_script(text: str) -> bool:
    """Whether a text has words in another script than Latin: characters beyond ASCII that stand side by side."""
    beyond = [character > "\x7f" for character in text]
    beside = sum(
        here and (before or after) for before, here, after in zip(beyond, beyond[1:], beyond[2:], strict=False)
    )
    foreign = sum(character >= "\u0370" and character.isalpha() for character in text)
    return foreign > 0.5 * sum(beyond) and beside > 0.6 * sum(beyond)


def undecodable(file: LocalFile, encoding: str) -> SourceError:
    """Return the error of a file that is not in an encoding: the byte, its position and line."""
    if named(encoding) == "UTF-8":
        advice = "save it as UTF-8, or give its --encoding"
    else:
        advice = "give another --encoding, or save it as UTF-8"
    decoder, position, line = codecs.getincrementaldecoder(encoding)(), 0, 1
    with opened(file) as stream:
        while chunk := stream.read(_CHUNK):
            pending = len(decoder.getstate()[0])
            try:
                line += decoder.decode(chunk).count("\n")
            except UnicodeDecodeError as error:
                bad, offset = error.object[error.start], position - pending + error.start
                line += error.object[: error.start].decode(encoding, errors="ignore").count("\n")
                return SourceError(
                    f"{file} is not {named(encoding)}: byte 0x{bad:02x} at position {offset}, line {line}; {advice}"
                )
            except UnicodeError as error:
                return SourceError(f"{file} is not {named(encoding)}: {error}; {advice}")
            position += len(chunk)
    return SourceError(f"{file} is not {named(encoding)}: it ends inside a character; copy it again, or {advice}")
