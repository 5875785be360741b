"""One step of training a translator from pairs."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from anomalo.neural import AdversarialNetwork
from anomalo_images_gan.networks.translation.patch_discriminator import PatchDiscriminator
from anomalo_images_gan.networks.translation.unet import TranslatingUNet

PairedNetwork = AdversarialNetwork[TranslatingUNet, PatchDiscriminator]


@dataclass
class PairedStep:
    """Updates the critic, which sees the input beside each output, then the translator, on a batch of pairs.

    Reference: Isola, Zhu, Zhou and Efros (2017), Image-to-image translation with conditional adversarial networks,
    CVPR, section 3.1.

    Parameters
    ----------
    net : AdversarialNetwork
    optimizers : list of Optimizer
        The critic's and the translator's.
    closeness : float
        Weight of the mean absolute difference to the real output.
    """

    net: PairedNetwork
    optimizers: list[Optimizer]
    closeness: float

    def __call__(self, source: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Update; return the mean absolute difference, and the losses of both networks."""
        net, critic = self.net, self.net.critic
        with torch.autocast(source.device.type, enabled=False):
            translated = net.generator(source)
            on_real = critic.patches(torch.cat([source, target], dim=1))
            on_translated = critic.patches(torch.cat([source, translated.detach()], dim=1))
            critic_loss = (F.softplus(-on_real).mean() + F.softplus(on_translated).mean()) / 2
            self._update(0, critic_loss)
            critic.requires_grad_(False)
            fooling = F.softplus(-critic.patches(torch.cat([source, translated], dim=1))).mean()
            difference = (translated - target).abs().mean()
            self._update(1, fooling + self.closeness * difference)
            critic.requires_grad_(True)
            net.average.update(net.generator)
            net.critic_updates += 1
        losses = {"loss": difference, "generator_loss": fooling, "critic_loss": critic_loss}
        return {name: loss.detach() for name, loss in losses.items()}

    def _update(self, which: int, loss: Tensor) -> None:
        self.optimizers[which].zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizers[which].step()
