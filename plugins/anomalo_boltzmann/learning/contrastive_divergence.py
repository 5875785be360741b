"""One update of a restricted Boltzmann machine by contrastive divergence, with or without persistent chains."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from anomalo.neural import Step
from anomalo_boltzmann.networks.random_streams import batch_uniforms
from anomalo_boltzmann.networks.restricted_machine import GradientPhase, RestrictedMachine
from anomalo_boltzmann.networks.visible_units import VisibleSource


@dataclass(frozen=True)
class LearningSettings:
    """How contrastive divergence and wake-sleep learn.

    Attributes
    ----------
    steps : int
        Gibbs sweeps of the negative phase.
    persistent : bool
        Whether the negative phase continues from its last state instead of starting from the data.
    decay : float
        Weight decay: the penalty is decay / 2 times the sum of squares.
    target, sparsity : float
        The target of the mean activity of hidden units, and the weight of its cross-entropy.
    """

    steps: int
    persistent: bool
    decay: float = 0.0
    target: float = 0.1
    sparsity: float = 0.0


def adam_optimizer(parameters: Sequence[nn.Parameter], learning_rate: float, momentum: float) -> Optimizer:
    """Return Adam, with this momentum; weight decay is part of the gradient."""
    used = [parameter for parameter in parameters if parameter.numel()]
    return AdamW(used, lr=learning_rate, betas=(momentum, 0.999), weight_decay=0.0, fused=True)


def centred_gradient(positive: GradientPhase, negative: GradientPhase, center: Tensor, mean: Tensor) -> GradientPhase:
    """Return the gradient of the log-likelihood for weights between centred units, as one for the weights as they are.

    dW' = dW - center dc' - db mean', db' = db - dW' mean, dc' = dc - dW'' center, where dW, db and dc are the positive
    phase less the negative one. It does not depend on which of its two values a binary unit calls 1.

    Parameters
    ----------
    center, mean : [units], [hidden]
        The means of the visible units' features and of the hidden units over the data.

    Reference: Melchior, Fischer and Wiskott (2016), How to center deep Boltzmann machines, JMLR 17, algorithm 1.
    """
    weight, visible, hidden, log_variance = (p - n for p, n in zip(positive, negative, strict=True))
    weight = weight - torch.outer(center, hidden) - torch.outer(visible, mean)
    return GradientPhase(weight, visible - weight @ mean, hidden - center @ weight, log_variance)


def complete_visible(machine: RestrictedMachine, v: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return visible units, unknown ones drawn or (those that no column has) expected, and the hidden units' means."""
    x = machine.infer(v, seen)
    mean = machine.hidden.mean(x)
    if bool(seen.all()):
        return v, mean
    units = machine.units
    drawn_from = machine.hidden.sample(x, torch.rand_like(x))
    expected = units.expect(machine.field(drawn_from))
    filled = units.sample(expected, torch.rand_like(expected))
    table = units.binary.stop
    rest = units.expect(machine.field(mean))[:, table:]
    filled = torch.where(seen, v, torch.cat([filled[:, :table], rest], dim=1))
    return filled, machine.hidden.mean(machine.drive(filled))


def update_by_contrastive_divergence(
    machine: RestrictedMachine, optimizers: list[Optimizer], *, source: VisibleSource, settings: LearningSettings
) -> Step:
    """Return the function that makes one update on a batch.

    The gradient of the log-likelihood is the positive phase, <d(-E)> under the data, less the negative one, <d(-E)>
    under the machine, which `steps` Gibbs sweeps approximate: from the data (contrastive divergence) or from the last
    update's end (persistent: Tieleman 2008, ICML). The reported loss is the negative log-likelihood of one
    reconstruction.

    Reference: Hinton (2012), A practical guide to training restricted Boltzmann machines, LNCS 7700; the sparsity
    target is that of its section 11.
    """
    if settings.persistent:
        with torch.no_grad():
            expected = machine.units.expect(torch.zeros_like(machine.chains))
            machine.chains.copy_(machine.units.sample(expected, torch.rand_like(expected)))

    @torch.no_grad()
    def update(x: Tensor, observed: Tensor) -> dict[str, Tensor]:
        with torch.autocast(x.device.type, enabled=False):
            units = machine.units
            v, seen = source(x, observed)
            v, h = complete_visible(machine, v, seen)
            fantasy = machine.chains if settings.persistent else v
            noise = batch_uniforms(len(fantasy), x.device)
            for _ in range(settings.steps):
                _, fantasy = machine.sweep(fantasy, noise)
            if settings.persistent:
                machine.chains.copy_(fantasy)
            fantasy_h = machine.hidden.mean(machine.drive(fantasy))
            means = units.features(v).mean(dim=0), h.mean(dim=0)
            ascent = centred_gradient(machine.phase(v, h), machine.phase(fantasy, fantasy_h), *means)
            set_gradients(machine, ascent, *means, settings)
            for optimizer in optimizers:
                optimizer.step()
            machine.constrain()
            again = units.expect(machine.field(h))
            return {"loss": (units.surprisal(v, again) * seen).sum() / len(v)}

    return update


def set_gradients(
    machine: RestrictedMachine, ascent: GradientPhase, center: Tensor, mean: Tensor, settings: LearningSettings
) -> None:
    """Set the gradients that the optimisers descend: the log-likelihood's, weight decay, and the activity's target."""
    weight, hidden = settings.decay * machine.weight - ascent.weight, -ascent.hidden
    if settings.sparsity:
        excess = settings.sparsity * (mean - settings.target)
        hidden, weight = hidden + excess, weight + torch.outer(center, excess)
    machine.weight.grad, machine.bias.grad = weight, hidden
    machine.units.bias.grad, machine.units.log_variance.grad = -ascent.visible, -ascent.log_variance
