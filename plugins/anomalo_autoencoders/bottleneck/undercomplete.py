"""The undercomplete autoencoder: a network whose code is too narrow to copy its input."""

from dataclasses import dataclass

from torch import nn

from anomalo.neural import Autoencoder, Reconstructor, activate, mlp
from anomalo.plugin import Layout, param
from anomalo_autoencoders.code_width import narrow_code


@dataclass(kw_only=True)
class Undercomplete(Reconstructor[Autoencoder]):
    """A multilayer autoencoder with a narrow code.

    Minimises the mean negative log-likelihood of the observed cells, given the code of a row in which
    some cells are hidden: loss = -mean log p(x | decoder(encoder(corrupted x))), Gaussian for numbers,
    softmax for categories.

    Reference: Hinton and Salakhutdinov (2006), Reducing the dimensionality of data with neural networks,
    Science 313; Vincent et al. (2008) for the hiding of cells.

    Examples
    --------
    >>> Undercomplete(hidden=(32,), latent=4).params()["latent"]
    4
    """

    name = "undercomplete"

    hidden: tuple[int, ...] = param((128, 64), low=1, high=100_000, help="Widths of the encoder's hidden layers.")
    latent: int = param(0, low=0, high=100_000, help="Width of the code; 0 takes a third of the columns, at most 16.")

    activation: str = param("silu", choices=("silu", "relu"), help="What follows each hidden layer; relu is faster.")

    def build(self, layout: Layout) -> Autoencoder:
        """Return the network for this layout."""
        latent = self.latent or narrow_code(layout)
        first, *rest = self.hidden
        encoder = nn.Sequential(
            activate(self.activation), mlp(first, *rest, latent, activation=self.activation, last=False)
        )
        decoder = mlp(latent, *reversed(self.hidden), activation=self.activation)
        return Autoencoder(layout, encoder, decoder, first, first)
