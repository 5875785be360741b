"""Images as PNG files: as a model sees them, what it expects, and where it finds them anomalous."""

from __future__ import annotations

import re
from io import BytesIO
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.encoded import Floats, Mask

Bytes = NDArray[np.uint8]

Kind = Literal["seen", "expected", "heat", "filled"]
FOLDER = "images"
"""The folder in a run with the pictures of explained and of filled images."""
ENDINGS: dict[Kind, str] = {"seen": "", "expected": ".expected", "heat": ".heat", "filled": ".filled"}
"""What the names of pictures of each kind have before `.png`."""
COLOURS = np.array([[0, 0, 0], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]], dtype=np.float64)
"""From no part of the score to the largest: the colour map "inferno" of matplotlib at every quarter."""
STRONGEST = 0.8
"""How much of the image the colour covers at most."""


def write_pictures(folder: Path, row: int, pixels: Floats, expected: Floats, seen: Mask, part: Floats) -> None:
    """Write an image, what is expected of it, and its heat map: `000012.png`, `000012.expected.png`, `000012.heat.png`.

    Parameters
    ----------
    folder : Path
        Where; it exists.
    row : int
        The image's number in the input.
    pixels, expected : float32 [H, W, colours]
        From 0 to 1.
    seen : bool [H, W]
        Hidden pixels are chequered in the image, and show no heat.
    part : float [H, W]
        Each pixel's part of the score.
    """
    shown = _chequered(pixels, seen)
    heat = heat_map(shown, np.where(seen, part, 0.0))
    _write(folder, row, {"seen": as_bytes(shown), "expected": as_bytes(expected), "heat": heat})


def write_filled(folder: Path, row: int, filled: Floats, seen: Mask) -> None:
    """Write an image before and after its hidden pixels were filled: `000012.png` and `000012.filled.png`.

    Parameters
    ----------
    folder : Path
        Where; it exists.
    row : int
        The image's number in the input.
    filled : float32 [H, W, colours]
        From 0 to 1.
    seen : bool [H, W]
        Which pixels were not hidden.
    """
    _write(folder, row, {"seen": as_bytes(_chequered(filled, seen)), "filled": as_bytes(filled)})


def name_of(row: int, kind: Kind) -> str:
    """Return the name of a picture.

    Examples
    --------
    >>> name_of(12, "seen"), name_of(12, "heat")
    ('000012.png', '000012.heat.png')
    """
    return f"{row:06}{ENDINGS[kind]}.png"


def heat_map(pixels: Floats, part: NDArray[Any]) -> Bytes:
    """Return an image [H, W, colours] under the colours of its pixels' parts of the score, uint8 [H, W, 3].

    The largest part has the last colour, in every image: how anomalous it is as a whole, the score says.
    """
    strength = np.clip(part / max(float(part.max(initial=0.0)), 1e-12), 0, 1)
    at = strength * (len(COLOURS) - 1)
    low = np.minimum(at.astype(np.intp), len(COLOURS) - 2)
    colour = COLOURS[low] + (at - low)[:, :, None] * (COLOURS[low + 1] - COLOURS[low])
    grey = np.broadcast_to(pixels.mean(axis=2, keepdims=True), colour.shape) * 255
    cover = STRONGEST * np.sqrt(strength)[:, :, None]
    return np.asarray(np.rint(cover * colour + (1 - cover) * grey), dtype=np.uint8)


def as_bytes(pixels: Floats) -> Bytes:
    """Return pixels from 0 to 1 [H, W, colours] as uint8, [H, W] if they are grey."""
    found = np.rint(pixels * 255).clip(0, 255).astype(np.uint8)
    return found[:, :, 0] if found.shape[2] == 1 else found


def png(picture: Bytes) -> bytes:
    """Return a picture as the content of a PNG file."""
    from PIL import Image

    content = BytesIO()
    Image.fromarray(picture).save(content, format="PNG")
    return content.getvalue()


def safe_name(path: str) -> str:
    """Return the name of a file below a folder for an image of any path: it leads out of no folder.

    Examples
    --------
    >>> safe_name("../a/b c.jpg"), safe_name("images[3]")
    ('a/b c.png', 'images[3].png')
    """
    stem = re.sub(r"\.(png|jpe?g|tiff?|bmp)$", "", below(path), flags=re.IGNORECASE)
    return f"{stem}.png"


def below(path: str) -> str:
    r"""Return a path of any origin as one that leads out of no folder.

    Examples
    --------
    >>> below("/etc/../x.png"), below("a\\..\\b.png"), below("..")
    ('etc/x.png', 'a/b.png', 'image')
    """
    return "/".join(part for part in re.split(r"[\\/]+", path) if part not in ("", ".", "..")) or "image"


def _chequered(pixels: Floats, seen: Mask) -> Floats:
    """Return an image [H, W, colours] that is chequered where its pixels are hidden."""
    row, column = np.indices(seen.shape)
    squares = np.where((row // 2 + column // 2) % 2 == 0, 0.4, 0.6).astype(np.float32)
    return np.where(seen[:, :, None], pixels, squares[:, :, None])


def _write(folder: Path, row: int, pictures: dict[Kind, Bytes]) -> None:
    for kind, picture in pictures.items():
        (folder / name_of(row, kind)).write_bytes(png(picture))
