"""The residual autoencoder: blocks that add to their input."""

from dataclasses import dataclass

from torch import Tensor, nn

from anomalo.neural import Autoencoder, Reconstructor, activate
from anomalo.plugin import Layout, param
from anomalo_autoencoders.code_width import narrow_code


class ResidualBlock(nn.Module):
    """x + W2 act(W1 norm(x)), which starts as the identity."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, width), activate("silu"))
        self.outer = nn.Linear(width, width)
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Return [n, width]."""
        out: Tensor = x + self.outer(self.inner(x))
        return out


@dataclass(kw_only=True)
class Residual(Reconstructor[Autoencoder]):
    """A deep autoencoder of pre-activation residual blocks around a narrow code.

    Minimises the mean negative log-likelihood of the observed cells, given the code of a row in which some are
    hidden: loss = -mean log p(x | decoder(encoder(corrupted x))). The blocks start as the identity, so that
    depth costs nothing at first.

    Reference: He et al. (2016), Identity mappings in deep residual networks, ECCV; Gorishniy et al. (2021),
    Revisiting deep learning models for tabular data, NeurIPS (for tables).

    Examples
    --------
    >>> Residual(blocks=1).params()["blocks"]
    1
    """

    name = "residual"

    width: int = param(64, low=1, high=100_000, help="Width of the blocks.")
    blocks: int = param(2, low=1, high=100, help="Blocks before the code, and after it.")
    latent: int = param(0, low=0, high=100_000, help="Width of the code; 0 takes a third of the columns, at most 16.")

    def build(self, layout: Layout) -> Autoencoder:
        """Return the network for this layout."""
        latent = self.latent or narrow_code(layout)
        encoder = nn.Sequential(*(ResidualBlock(self.width) for _ in range(self.blocks)), nn.Linear(self.width, latent))
        decoder = nn.Sequential(nn.Linear(latent, self.width), *(ResidualBlock(self.width) for _ in range(self.blocks)))
        return Autoencoder(layout, encoder, decoder, self.width, self.width)
