"""The Wasserstein GAN with a gradient penalty."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from anomalo.neural import one_centred_penalty
from anomalo.plugin import param
from anomalo_gan.adversarial import AdversarialModel
from anomalo_gan.networks.generator_critic import Critic


@dataclass(kw_only=True)
class WassersteinGan(AdversarialModel):
    """A generative adversarial network whose critic estimates the Wasserstein distance.

    The length of the critic's gradient is kept near 1 between real and synthetic rows.

    Reference: Gulrajani et al. (2017), Improved training of Wasserstein GANs, NIPS.

    Examples
    --------
    >>> WassersteinGan().params()["critic_steps"]
    3
    """

    name = "wgan"
    betas: ClassVar[tuple[float, float]] = (0.0, 0.9)

    learning_rate: float = param(2e-3, low=1e-7, high=1.0, help="Step size of Adam for both networks at the start.")
    critic_steps: int = param(3, low=1, high=100, help="Steps of the critic for each step of the generator.")
    penalty: float = param(0.1, low=0.0, high=1e6, help="Weight of the penalty on the critic's gradient.")
    minibatch: str = param(
        "none", choices=("none", "deviation", "discrimination"), help="What the critic sees of the rest of a batch."
    )

    def objective(self) -> str:
        """Return the name of the losses."""
        return "wasserstein"

    def critic_outputs(
        self, critic: Critic, real: Tensor, synthetic: Tensor, given: Tensor, weight: float
    ) -> tuple[Tensor, Tensor, Tensor | float]:
        """Return the critic's values of real and of synthetic rows, and the penalty on its gradients between them."""
        on_real, on_synthetic = critic(real, given), critic(synthetic, given)
        if not weight:
            return on_real, on_synthetic, 0.0
        penalty = one_centred_penalty(lambda rows: critic(rows, given), real, synthetic)
        return on_real, on_synthetic, weight * penalty
