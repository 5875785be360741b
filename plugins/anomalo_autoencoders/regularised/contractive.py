"""The contractive autoencoder: a code that changes little when the row changes a little."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anomalo.neural import CodeNetwork, ColumnHeads, Reconstructor, draw_rows, mlp
from anomalo.plugin import Layout, param


class ContractiveNet(CodeNetwork):
    """Sigmoid layers on a row's units (standardised numbers and one-hot levels), and a linear decoder."""

    def __init__(self, layout: Layout, hidden: tuple[int, ...], latent: int) -> None:
        super().__init__()
        self.heads = ColumnHeads(layout, latent)
        units = self.heads.linear.out_features
        self.body = mlp(units, *hidden, activation="silu") if hidden else nn.Identity()
        self.code = nn.Linear(hidden[-1] if hidden else units, latent)

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the code, [n, latent], between 0 and 1."""
        return self.encode_units(self.heads.units(x, observed))

    def encode_units(self, units: Tensor) -> Tensor:
        """Return the code of units [n, units]."""
        return torch.sigmoid(self.code(self.body(units)))


def jacobian_norm(net: ContractiveNet, units: Tensor) -> Tensor:
    """Return ||d code / d units||_F^2 of each row, [n].

    Exact for one sigmoid layer, sum_j (h_j (1 - h_j))^2 ||W_j||^2; deeper encoders take Hutchinson's estimate
    ||v J||^2 with one random sign vector v a row, whose expectation is the norm.
    """
    if isinstance(net.body, nn.Identity):
        code = net.encode_units(units)
        return F.linear((code * (1 - code)).square(), net.code.weight.square().sum(dim=1)[None]).squeeze(1)
    units = units.detach().requires_grad_()
    with torch.enable_grad():
        code = net.encode_units(units)
        dtype, device, width = code.dtype, code.device, code.shape[1]
        signs = draw_rows(lambda n: torch.randint(2, (n, width), dtype=dtype, device=device), len(code)) * 2 - 1
        (product,) = torch.autograd.grad(code, units, signs, create_graph=torch.is_grad_enabled())
    return product.square().sum(dim=1)


@dataclass(kw_only=True)
class Contractive(Reconstructor[ContractiveNet]):
    """An autoencoder whose encoder's Jacobian is penalised.

    loss = -mean log p(x | decoder(encoder(x))) + weight * mean ||d code / d x||_F^2 / units.

    Reference: Rifai et al. (2011), Contractive auto-encoders, ICML, equations 4 to 8; Hutchinson (1990) for the
    estimate.

    Examples
    --------
    >>> Contractive(weight=0.5).params()["weight"]
    0.5
    """

    name = "contractive"

    hidden: tuple[int, ...] = param((0,), low=0, high=100_000, help="Widths of layers before the code; 0 for none.")
    latent: int = param(0, low=0, high=100_000, help="Width of the code; 0 takes twice the columns, 16 to 128.")
    weight: float = param(0.1, low=0.0, high=1000.0, help="Weight of the Jacobian's norm.")

    def build(self, layout: Layout) -> ContractiveNet:
        """Return the network for this layout."""
        latent = self.latent or min(128, max(16, 2 * len(layout.blocks)))
        return ContractiveNet(layout, tuple(width for width in self.hidden if width), latent)

    def penalty(self, net: ContractiveNet, x: Tensor, observed: Tensor) -> Tensor:
        """Return the weighted mean norm of the encoder's Jacobian at the uncorrupted rows."""
        units = net.heads.units(x, observed)
        return self.weight * jacobian_norm(net, units).mean() / units.shape[1]
