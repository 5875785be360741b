"""One update of a restricted Boltzmann machine by contrastive divergence, with or without persistent chains."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import AdamW, Optimizer

from anomalo.neural import Step
from anomalo_boltzmann.machine import Machine, Noise, Phase

Source = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]
"""Turns a batch (values, observed) into visible units and whether they are known."""


@dataclass(frozen=True)
class Settings:
    """How to learn.

    Attributes
    ----------
    steps : int
        Gibbs sweeps of the negative phase.
    persistent : bool
        Whether the negative phase goes on from its last state instead of from the data.
    decay : float
        Weight decay: the penalty is decay / 2 times the sum of squares.
    target, sparsity : float
        The wanted mean activity of hidden units, and the weight of its cross-entropy.
    """

    steps: int
    persistent: bool
    decay: float = 0.0
    target: float = 0.1
    sparsity: float = 0.0


def optimizer(parameters: Sequence[nn.Parameter], learning_rate: float, momentum: float) -> Optimizer:
    """Return Adam, with this momentum; weight decay is part of the gradient."""
    used = [parameter for parameter in parameters if parameter.numel()]
    return AdamW(used, lr=learning_rate, betas=(momentum, 0.999), weight_decay=0.0, fused=True)


def centred(positive: Phase, negative: Phase, center: Tensor, mean: Tensor) -> Phase:
    """Return the gradient of the log-likelihood for weights between centred units, in terms of ordinary ones.

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
    return Phase(weight, visible - weight @ mean, hidden - center @ weight, log_variance)


def completed(machine: Machine, v: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Return visible units, unknown ones drawn or (those beside the table) expected, and the hidden units' means."""
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


def update_machine(machine: Machine, optimizers: list[Optimizer], *, source: Source, settings: Settings) -> Step:
    """Return the function that makes one update on a batch.

    The gradient of the log-likelihood is the positive phase, <d(-E)> under the data, less the negative one, <d(-E)>
    under the machine, for which `steps` Gibbs sweeps stand in: from the data (contrastive divergence) or from where
    the last update left them (persistent: Tieleman 2008, ICML). Its loss is the surprise of one reconstruction.

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
            v, h = completed(machine, v, seen)
            fantasy = machine.chains if settings.persistent else v
            noise = uniform(len(fantasy), x.device)
            for _ in range(settings.steps):
                _, fantasy = machine.sweep(fantasy, noise)
            if settings.persistent:
                machine.chains.copy_(fantasy)
            dreamt = machine.hidden.mean(machine.drive(fantasy))
            means = units.features(v).mean(dim=0), h.mean(dim=0)
            ascent = centred(machine.phase(v, h), machine.phase(fantasy, dreamt), *means)
            descend(machine, ascent, *means, settings)
            for optimizer in optimizers:
                optimizer.step()
            machine.bound()
            again = units.expect(machine.field(h))
            return {"loss": (units.surprise(v, again) * seen).sum() / len(v)}

    return update


def descend(machine: Machine, ascent: Phase, center: Tensor, mean: Tensor, settings: Settings) -> None:
    """Set the gradients that the optimisers step down: the ascent's, weight decay, and the activity's target."""
    weight, hidden = settings.decay * machine.weight - ascent.weight, -ascent.hidden
    if settings.sparsity:
        excess = settings.sparsity * (mean - settings.target)
        hidden, weight = hidden + excess, weight + torch.outer(center, excess)
    machine.weight.grad, machine.bias.grad = weight, hidden
    machine.units.bias.grad, machine.units.log_variance.grad = -ascent.visible, -ascent.log_variance


def uniform(rows: int, device: torch.device) -> Noise:
    """Return a source of uniform numbers [rows, width] from torch's generator."""
    return lambda width: torch.rand(rows, width, device=device)
