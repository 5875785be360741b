"""One step of training translators without pairs: both directions, and there and back."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.optim import Optimizer

from anomalo_images_gan.networks.translation.both_ways import DOMAINS, TranslationNetwork
from anomalo_images_gan.networks.translation.cycle import cycle_loss, identity_loss, least_squares


@dataclass
class CycleStep:
    """Updates the translators, then the critics, on a batch of images of both domains.

    References: Zhu, Park, Isola and Efros (2017), Unpaired image-to-image translation using cycle-consistent
    adversarial networks, ICCV; Almahairi et al. (2018), Augmented CycleGAN: learning many-to-many mappings from
    unpaired data, ICML, where there are latents.

    Parameters
    ----------
    net : TranslationNetwork
    optimizers : list of Optimizer
        The critics' and the translators'.
    cycle, identity : float
        Weights of the difference after there and back, and of changes to images that are of the target domain.
    """

    net: TranslationNetwork
    optimizers: list[Optimizer]
    cycle: float
    identity: float
    _translated: list[Tensor] = field(default_factory=list)
    _latents: list[Tensor] = field(default_factory=list)

    def __call__(self, x: Tensor, labels: Tensor) -> dict[str, Tensor]:
        """Update; return the loss of there and back, of the translators, and of the critics."""
        domains = [x[labels == domain] for domain in DOMAINS]
        self._translated, self._latents = [x[:0]] * 2, [x[:0]] * 2
        zero = x.new_zeros(())
        with torch.autocast(x.device.type, enabled=False):
            there_and_back, fooling = zero, zero
            self.net.critic.requires_grad_(False)
            for to in DOMAINS:
                if len(domains[1 - to]):
                    back, fooled = self._direction(domains[1 - to], domains[to], to)
                    there_and_back, fooling = there_and_back + back, fooling + fooled
            self._update(1, self.cycle * there_and_back + fooling)
            self.net.average.update(self.net.generator)
            self.net.critic_updates += 1
            self.net.critic.requires_grad_(True)
            critic = self._critic_loss(domains)
            self._update(0, critic)
        losses = {"loss": there_and_back, "generator_loss": fooling, "critic_loss": critic}
        return {name: loss.detach() for name, loss in losses.items()}

    def _direction(self, source: Tensor, target: Tensor, to: int) -> tuple[Tensor, Tensor]:
        """Return the differences after there and back, and the other losses of translating into a domain."""
        both, critic = self.net.generator, self.net.critic
        latent = both.draw(source)
        translated = both.translate(source, to, latent)
        inverse = both.encode(source, translated, 1 - to)
        there_and_back = cycle_loss(
            source, lambda _: translated, lambda images: both.translate(images, 1 - to, inverse)
        )
        fooling = least_squares(critic.images[to].patches(translated), 1.0)
        found = both.encode(translated, source, to)
        if latent is not None and inverse is not None and found is not None:
            there_and_back = there_and_back + (found - latent).abs().mean()
            fooling = fooling + least_squares(critic.latents[1 - to](inverse), 1.0)
            self._latents[1 - to] = inverse.detach()
        if self.identity and len(target):
            kept = identity_loss(target, lambda images: both.translate(images, to, both.draw(images)))
            fooling = fooling + self.identity * kept
        self._translated[to] = translated.detach()
        return there_and_back, fooling

    def _critic_loss(self, domains: list[Tensor]) -> Tensor:
        """Return the critics' loss of real images and of translated ones, some of them earlier ones."""
        critic, pools = self.net.critic, self.net.pools
        loss = domains[0].new_zeros(())
        for domain in DOMAINS:
            if len(domains[domain]):
                loss = loss + least_squares(critic.images[domain].patches(domains[domain]), 1.0) / 2
            if len(self._translated[domain]):
                shown = self._translated[domain]
                shown = pools[domain].exchange(shown) if len(pools) else shown
                loss = loss + least_squares(critic.images[domain].patches(shown), 0.0) / 2
            if len(critic.latents) and len(self._latents[domain]):
                found = self._latents[domain]
                on_prior, on_found = critic.latents[domain](torch.randn_like(found)), critic.latents[domain](found)
                loss = loss + (least_squares(on_prior, 1.0) + least_squares(on_found, 0.0)) / 2
        return loss

    def _update(self, which: int, loss: Tensor) -> None:
        self.optimizers[which].zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.optimizers[which].step()
