"""How much work each effort allows for images."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageEffort:
    """The limits of a fit.

    Attributes
    ----------
    members : str
        The models that are combined, where none are named.
    images : int
        Images that are learned from, at most: a random sample of more.
    folds : int
        Parts of the images; every member is fitted once without each.
    epochs : int
        Passes of a network over the images, at most.
    pixels : float
        Millions of pixels that a network sees in all of them, at most.
    """

    members: str
    images: int
    folds: int
    epochs: int
    pixels: float


YARDSTICKS = "local_pca,oja,patches,filters"
EFFORTS = {
    "fast": ImageEffort(YARDSTICKS, 2_000, 2, 10, 10.0),
    "default": ImageEffort(YARDSTICKS, 5_000, 3, 40, 60.0),
    "thorough": ImageEffort(f"{YARDSTICKS},conv_denoising", 20_000, 3, 150, 200.0),
}
