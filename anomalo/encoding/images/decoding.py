"""Decode an image from a file, or refuse the file by name."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from anomalo.encoding.images.arrays import array_image, is_in_array
from anomalo.errors import SourceError, UsageError
from anomalo.tabular.reading.images.files import MOST_PIXELS

if TYPE_CHECKING:
    from PIL import Image

Pixels = NDArray[np.float32]
Mask = NDArray[np.bool_]

ROTATED = range(5, 9)
"""The orientations in EXIF by which width and height are exchanged."""
ORIENTATION = 0x0112
_DEEP = ("I", "I;16", "I;16B", "I;16L", "F")


def image_size(file: str) -> tuple[int, int]:
    """Return the height and width of an image as it is shown, from the start of its file.

    Raises
    ------
    SourceError
        As `decoded`.
    """
    if is_in_array(file):
        height, width = array_image(file).shape[:2]
        return height, width
    with _opened(file) as image:
        width, height = image.size
        return (width, height) if image.getexif().get(ORIENTATION) in ROTATED else (height, width)


def decoded(file: str, size: tuple[int, int] | None = None, colours: int = 3) -> tuple[Pixels, Mask]:
    """Decode an image, upright, and bring it to a size.

    Colours of any kind become red, green and blue, or their luminance; the range of 8 or 16 bits becomes 0 to 1.

    Parameters
    ----------
    file : str
        A path, or `FILE.npz#N`.
    size : tuple of int, optional
        Height and width; by default they stay.
    colours : {1, 3}
        Grey, or red, green and blue.

    Returns
    -------
    pixels : float32 [H, W, colours]
        From 0 to 1.
    observed : bool [H, W]
        False where the image is fully transparent.

    Raises
    ------
    SourceError
        The file is absent, empty, damaged, animated, too large, or holds numbers of no known range.
    UsageError
        Pillow is not installed.
    """
    if is_in_array(file):
        pixels = _in_range(array_image(file), file)
        return resized(_in_colours(pixels, colours), size), np.ones(size or pixels.shape[:2], dtype=np.bool_)
    with _opened(file) as image:
        if image.format == "JPEG" and size is not None:
            image.draft("L" if colours == 1 and image.mode == "L" else "RGB", size[::-1])
        return _pixels(image, file, size, colours)


def decoded_mask(file: str, size: tuple[int, int]) -> Mask:
    """Return which pixels a mask hides, bool [H, W]: those that are not zero anywhere in the same part of it.

    Raises
    ------
    SourceError
        As `decoded`.
    """
    from PIL import Image

    with _opened(file) as image:
        hidden = np.asarray(image.convert("L")) > 0
    shrunk = Image.fromarray(hidden.astype(np.float32)).resize(size[::-1], Image.Resampling.BOX)
    return np.asarray(np.asarray(shrunk) > 0)


def _pixels(image: Image.Image, file: str, size: tuple[int, int] | None, colours: int) -> tuple[Pixels, Mask]:
    """Return the pixels of an opened image, and which of them are not transparent."""
    from PIL import ImageOps

    upright = ImageOps.exif_transpose(image)
    if upright.mode in _DEEP:
        deep = _in_range(np.asarray(upright), file)
        return resized(_in_colours(deep, colours), size), np.ones(size or deep.shape[:2], dtype=np.bool_)
    seen = np.ones(size or (upright.height, upright.width), dtype=np.bool_)
    if upright.has_transparency_data:
        alpha = upright.convert("RGBA").getchannel("A")
        seen = np.asarray(alpha if size is None else alpha.resize(size[::-1])) > 0
    plain = upright.convert("L" if colours == 1 else "RGB")
    if size is not None and plain.size != size[::-1]:
        plain = plain.resize(size[::-1], reducing_gap=3.0)
    pixels = np.asarray(plain, dtype=np.float32) / np.float32(255)
    return pixels.reshape(*pixels.shape[:2], colours), seen


def _in_range(values: NDArray[Any], file: str) -> Pixels:
    """Return numbers as pixels from 0 to 1, by the range of their type."""
    if values.dtype == np.bool_:
        return values.astype(np.float32)
    if values.dtype == np.uint8:
        return values.astype(np.float32) / np.float32(255)
    low, high = float(values.min()), float(values.max())
    if values.dtype.kind in "ui" and low >= 0 and high < 65_536:
        return values.astype(np.float32) / np.float32(65_535)
    if values.dtype.kind == "f" and low >= 0 and high <= 1:
        return values.astype(np.float32)
    raise SourceError(
        f"{file} has pixels from {low:g} to {high:g}; expected 8 or 16 bits, or fractions from 0 to 1; convert it"
    )


def _in_colours(pixels: Pixels, colours: int) -> Pixels:
    """Return pixels [H, W] or [H, W, 1 or 3] in so many colours; grey is the luminance of Rec. 601, as Pillow's."""
    whole = pixels.reshape(*pixels.shape[:2], -1)
    if whole.shape[2] == colours:
        return whole
    if colours == 3:
        return np.repeat(whole, 3, axis=2)
    return (whole @ np.array([0.299, 0.587, 0.114], dtype=np.float32))[:, :, None]


def resized(pixels: Pixels, size: tuple[int, int] | None) -> Pixels:
    """Return pixels [H, W, colours] in another height and width, smoothed where they are reduced."""
    if size is None or pixels.shape[:2] == size:
        return pixels
    from PIL import Image

    layers = [Image.fromarray(pixels[:, :, at]).resize(size[::-1]) for at in range(pixels.shape[2])]
    return np.stack([np.asarray(layer) for layer in layers], axis=2).clip(0, 1)


@contextmanager
def _opened(file: str) -> Iterator[Image.Image]:
    """Give an image whose pixels are not decoded yet; what fails inside is an error that names the file."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise UsageError("images are read by Pillow: pip install 'anomalo-engine[images]'") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            opened = Image.open(file)
        with opened as image:
            _require_one_of_bounded_size(image, file)
            yield image
    except FileNotFoundError:
        raise SourceError(f"no such image: {file}") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise SourceError(_too_large(file)) from None
    except UnidentifiedImageError:
        raise SourceError(f"{file} is empty or damaged, and no image; remove or replace it") from None
    except SourceError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        raise SourceError(f"{file} is a damaged image: {error}; remove or replace it") from None


def _require_one_of_bounded_size(image: Image.Image, file: str) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        raise SourceError(_too_large(file))
    frames = getattr(image, "n_frames", 1)
    if frames > 1:
        raise SourceError(f"{file} has {frames} frames; expected one image: save each in a file")


def _too_large(file: str) -> str:
    return f"{file} has more than {MOST_PIXELS:,} pixels; make it smaller"
