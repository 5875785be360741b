"""Fine-tuning of a deep belief network by the up-down algorithm, a contrastive form of wake-sleep."""

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from anomalo.neural import Step
from anomalo_boltzmann.learning.contrastive_divergence import (
    LearningSettings,
    centred_gradient,
    complete_visible,
    set_gradients,
)
from anomalo_boltzmann.networks.belief_network import BeliefNet
from anomalo_boltzmann.networks.random_streams import batch_uniforms


def update_by_wake_sleep(net: BeliefNet, optimizers: list[Optimizer], *, settings: LearningSettings) -> Step:
    """Return the function that makes one update of all layers on a batch.

    Wake: states are drawn upwards, and each layer learns to generate the one below it. The top learns by contrastive
    divergence from these states. Sleep: states are drawn downwards from the end of the top's Gibbs sampling, and each
    layer learns to recognise them.

    Reference: Hinton, Osindero and Teh (2006), A fast learning algorithm for deep belief nets, Neural Computation 18,
    appendix B.
    """
    net.untie()

    def update(x: Tensor, observed: Tensor) -> dict[str, Tensor]:
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
        with torch.autocast(x.device.type, enabled=False):
            awake, seen = _up(net, x, observed)
            asleep = _down(net, sample_fantasies(net, awake[-1], settings))
            loss = generative_loss(net, awake, seen)
            torch.autograd.backward(loss + recognition_loss(net, asleep))
            _learn_top(net, awake[-1], asleep[-1], settings)
        for optimizer in optimizers:
            optimizer.step()
        for machine in net.layers:
            machine.constrain()
        return {"loss": loss.detach()}

    return update


@torch.no_grad()
def _up(net: BeliefNet, x: Tensor, observed: Tensor) -> tuple[list[Tensor], Tensor]:
    """Return states of all layers below the top's hidden units, bottom up, and which visible units are known."""
    v, seen = net.units.encode(x, observed)
    states = [complete_visible(net.layers[0], v, seen)[0]]
    for k in range(len(net.layers) - 1):
        states.append(torch.bernoulli(torch.sigmoid(net.recognise(k, states[-1]))))
    return states, seen


@torch.no_grad()
def _down(net: BeliefNet, h: Tensor) -> list[Tensor]:
    """Return states of the layers below the top's hidden units, drawn downwards from `h`, bottom up."""
    states = [h]
    for machine in reversed(net.layers[:-1]):
        expected = machine.rows(states[-1])
        states.append(machine.units.sample(expected, torch.rand_like(expected)))
    return states[::-1]


@torch.no_grad()
def sample_fantasies(net: BeliefNet, h: Tensor, settings: LearningSettings) -> Tensor:
    """Return the last states of Gibbs sampling in the top, from the data's states `h` or from its persistent chains."""
    fantasy = net.top.chains if settings.persistent else h
    noise = batch_uniforms(len(fantasy), h.device)
    for _ in range(settings.steps):
        _, fantasy = net.top.sweep(fantasy, noise)
    if settings.persistent:
        net.top.chains.copy_(fantasy)
    return fantasy


def generative_loss(net: BeliefNet, states: list[Tensor], seen: Tensor) -> Tensor:
    """Return -log p(v | h_1) - log p(h_1 | h_2) - …, the mean over rows; unknown visible units do not count."""
    total = torch.zeros((), device=seen.device)
    for k, machine in enumerate(net.layers[:-1]):
        surprisal = machine.units.surprisal(states[k], machine.rows(states[k + 1]))
        total = total + (surprisal * seen if k == 0 else surprisal).sum() / len(seen)
    return total


def recognition_loss(net: BeliefNet, states: list[Tensor]) -> Tensor:
    """Return -log Q(h_1 | v) - log Q(h_2 | h_1) - …, the mean over rows."""
    total = torch.zeros((), device=states[0].device)
    for k in range(len(net.layers) - 1):
        drive = net.recognise(k, states[k])
        loss = F.binary_cross_entropy_with_logits(drive, states[k + 1], reduction="sum")
        total = total + loss / len(states[0])
    return total


@torch.no_grad()
def _learn_top(net: BeliefNet, data: Tensor, fantasy: Tensor, settings: LearningSettings) -> None:
    top = net.top
    h, fantasy_h = (top.hidden.mean(top.drive(v)) for v in (data, fantasy))
    means = data.mean(dim=0), h.mean(dim=0)
    set_gradients(top, centred_gradient(top.phase(data, h), top.phase(fantasy, fantasy_h), *means), *means, settings)
