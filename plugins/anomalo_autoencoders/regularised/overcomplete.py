"""The overcomplete autoencoder: a code wider than the row, kept from copying by hiding cells."""

from dataclasses import dataclass

from torch import nn

from anomalo.neural import Autoencoder, Reconstructor, activate
from anomalo.plugin import Layout, param
from anomalo_autoencoders.code_width import wide_code


@dataclass(kw_only=True)
class Overcomplete(Reconstructor[Autoencoder]):
    """One hidden layer with more units than there are columns.

    Minimises the mean negative log-likelihood of the observed cells, given the code of a row in which many are
    hidden: loss = -mean log p(x | decoder(encoder(corrupted x))). Without the hiding it could learn to copy.

    Reference: Bengio et al. (2007), Greedy layer-wise training of deep networks, NIPS (overcomplete codes);
    Vincent et al. (2008), Extracting and composing robust features with denoising autoencoders, ICML.

    Examples
    --------
    >>> Overcomplete(latent=100).params()["latent"]
    100
    """

    name = "overcomplete"

    latent: int = param(0, low=0, high=100_000, help="Width of the code; 0 takes four times the columns, 32 to 256.")
    hide: float = param(0.4, low=0.0, high=0.95, help="Share of the cells hidden from the network in training.")

    def build(self, layout: Layout) -> Autoencoder:
        """Return the network for this layout."""
        latent = self.latent or wide_code(layout)
        return Autoencoder(layout, activate("silu"), nn.Identity(), latent, latent)
