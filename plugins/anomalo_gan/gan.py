"""The generative adversarial network."""

from dataclasses import dataclass

from anomalo.plugin import param
from anomalo_gan.adversarial import AdversarialModel


@dataclass(kw_only=True)
class Gan(AdversarialModel):
    """A generative adversarial network: the critic's two-sample test is what the generator has to pass.

    The original losses are `game="minimax"`, or "non-saturating", with `penalty=0`. By default the critic compares each
    synthetic row with a real one (relativistic), and its squared gradients at both are kept small.

    Reference: Goodfellow et al. (2014), Generative adversarial nets, NIPS; Huang et al. (2024), The GAN is dead; long
    live the GAN! A modern GAN baseline, NeurIPS.

    Examples
    --------
    >>> Gan(game="minimax", penalty=0.0).params()["game"]
    'minimax'
    """

    name = "gan"

    game: str = param(
        "relativistic", choices=("relativistic", "non-saturating", "minimax"), help="The losses of both networks."
    )

    def objective(self) -> str:
        """Return the name of the losses, `game`."""
        return self.game
