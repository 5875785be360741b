"""How much work each effort allows for images."""

from __future__ import annotations

from dataclasses import dataclass

from anomalo.plugin import Layout


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
        Pixels that a network sees in all these passes, at most, if one pass has no more: its time is about
        proportional to them.
    """

    members: str
    images: int
    folds: int
    epochs: int
    pixels: float

    def passes(self, layout: Layout, images: int) -> int:
        """Return how often a network passes over so many images.

        Examples
        --------
        >>> effort = ImageEffort("", 100, 2, epochs=30, pixels=100_000)
        >>> layout = Layout("image", (1, 10, 10), ())
        >>> effort.passes(layout, 50), effort.passes(layout, 10), effort.passes(layout, 5_000)
        (20, 30, 1)
        """
        _, height, width = layout.shape
        return max(1, min(self.epochs, int(self.pixels / (images * height * width))))


YARDSTICKS = "local_pca,patches,filters"
EFFORTS = {
    "fast": ImageEffort(YARDSTICKS, 2_000, 2, 1, 0),
    "default": ImageEffort(f"{YARDSTICKS},conv_denoising", 5_000, 2, 25, 60e6),
    "thorough": ImageEffort(f"{YARDSTICKS},conv_denoising", 20_000, 5, 200, 1e9),
}
