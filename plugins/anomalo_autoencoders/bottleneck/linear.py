"""The linear autoencoder with tied weights: principal components, for mixed columns with missing values."""

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F

from anomalo.neural import CodeNetwork, ColumnHeads, Reconstructor
from anomalo.plugin import Layout, param


class TiedLinear(CodeNetwork):
    """Encodes by the transpose of the matrix that the column heads decode with."""

    def __init__(self, layout: Layout, latent: int) -> None:
        super().__init__()
        self.heads = ColumnHeads(layout, latent)
        self.heads.log_scale.requires_grad_(False)

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the code, [n, latent]."""
        return F.linear(self.heads.units(x, observed), self.heads.linear.weight.T)


@dataclass(kw_only=True)
class LinearAutoencoder(Reconstructor[TiedLinear]):
    """One linear layer down, its transpose up.

    Minimises the mean negative log-likelihood of the observed cells, with unit variance for the
    standardised numbers: for complete numeric tables that is mean ||x - W W^T x||^2 / 2, whose optimum
    spans the leading principal components.

    Reference: Baldi and Hornik (1989), Neural networks and principal component analysis: learning from
    examples without local minima, Neural Networks 2.

    Examples
    --------
    >>> LinearAutoencoder(latent=3).params()["latent"]
    3
    """

    name = "linear"

    latent: int = param(0, low=0, high=100_000, help="Width of the code; 0 takes a third of the columns, 1 to 16.")
    learning_rate: float = param(1e-2, low=1e-7, high=1.0, help="Step size of Adam at the start; it decays.")

    def build(self, layout: Layout) -> TiedLinear:
        """Return the network for this layout."""
        return TiedLinear(layout, self.latent or min(16, max(1, len(layout.blocks) // 3)))
