"""The Wasserstein GAN with a gradient penalty."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from anomalo.plugin import param
from anomalo_gan.adversarial import Adversarial
from anomalo_gan.games import one_centred
from anomalo_gan.networks import Critic


@dataclass(kw_only=True)
class WassersteinGan(Adversarial):
    """A generative adversarial network whose critic estimates the Wasserstein distance.

    The critic's slope is kept near 1 between real and made rows.

    Reference: Gulrajani et al. (2017), Improved training of Wasserstein GANs, NIPS.

    Examples
    --------
    >>> WassersteinGan().params()["critic_steps"]
    3
    """

    name = "wgan"
    betas: ClassVar[tuple[float, float]] = (0.0, 0.9)

    learning_rate: float = param(2e-3, low=1e-7, high=1.0, help="Step size of both players' Adam at the start.")
    critic_steps: int = param(3, low=1, high=100, help="Steps of the critic for each step of the generator.")
    penalty: float = param(0.1, low=0.0, high=1e6, help="Weight of the penalty on the critic's slope.")
    minibatch: str = param(
        "none", choices=("none", "spread", "discrimination"), help="What the critic is told of the rest of a batch."
    )

    def game_name(self) -> str:
        """Return the game."""
        return "wasserstein"

    def judged(
        self, critic: Critic, real: Tensor, made: Tensor, given: Tensor, weight: float
    ) -> tuple[Tensor, Tensor, Tensor | float]:
        """Return the critic's values of real and of made rows, and the penalty on its slopes between them."""
        on_real, on_made = critic(real, given), critic(made, given)
        if not weight:
            return on_real, on_made, 0.0
        return on_real, on_made, weight * one_centred(lambda rows: critic(rows, given), real, made)
