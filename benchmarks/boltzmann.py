"""Exact likelihoods of Boltzmann machines on binarised digits, beside scikit-learn's BernoulliRBM.

scikit-learn's 1,797 digits of 8 by 8 pixels, on where at least half as bright as possible; 80 % are trained on, drawn
with seed 0. All machines have 16 units in the first hidden layer, so that the mean log-likelihood of the test rows is
exact: a sum over 2^16 states. Times are CPU seconds of this process.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness import calm
from numpy.typing import NDArray
from sklearn.datasets import load_digits
from sklearn.neural_network import BernoulliRBM

from anomalo.models.run import LocalRun
from anomalo.plugin import Block, Encoded, Layout
from anomalo_boltzmann.likelihood.annealed_importance_sampling import estimate_log_partition
from anomalo_boltzmann.likelihood.enumeration import log_likelihood, log_partition
from anomalo_boltzmann.models.deep_belief_network import DeepBelief
from anomalo_boltzmann.models.deep_boltzmann_machine import DeepBoltzmann
from anomalo_boltzmann.models.restricted_boltzmann_machine import RestrictedBoltzmann
from anomalo_boltzmann.networks.restricted_machine import RestrictedMachine
from anomalo_boltzmann.networks.visible_units import VisibleUnits

HIDDEN = 16
COMMON: dict[str, Any] = {"learning_rate": 0.02, "chains": 200, "holdout": 0.0, "patience": 100_000}
MODELS: dict[str, Any] = {
    "rbm": lambda: RestrictedBoltzmann(hidden=HIDDEN, epochs=100, **COMMON),
    "rbm, CD-1": lambda: RestrictedBoltzmann(hidden=HIDDEN, epochs=100, persistent=False, **COMMON),
    "rbm, five sweeps": lambda: RestrictedBoltzmann(hidden=HIDDEN, epochs=100, steps=5, **COMMON),
    "dbn": lambda: DeepBelief(hidden=(HIDDEN, 16), epochs=100, **COMMON),
    "dbn, fine-tuned": lambda: DeepBelief(hidden=(HIDDEN, 16), epochs=100, wake_sleep=50, **COMMON),
    "dbm": lambda: DeepBoltzmann(hidden=(HIDDEN, 16), epochs=100, **COMMON),
    "dbm, not pretrained": lambda: DeepBoltzmann(hidden=(HIDDEN, 16), epochs=100, greedy=False, **COMMON),
}
RACE = (1, 2, 4, 8, 16, 32)
"""Epochs after which our machine is compared with theirs after 100."""


def digits() -> tuple[Encoded, Encoded]:
    """Return the training and the test rows."""
    pixels = (load_digits().data >= 8).astype(np.float32)
    blocks = tuple(Block(f"p{at}", "number", at, high=1.0, integer=True) for at in range(pixels.shape[1]))
    layout = Layout("table", (len(blocks),), blocks)
    order = np.random.RandomState(0).permutation(len(pixels))
    parts = np.split(pixels[order], [int(0.8 * len(pixels))])
    return tuple(Encoded(part, np.ones(part.shape, dtype=bool), layout) for part in parts)  # type: ignore[return-value]


def independent(train: Encoded, test: Encoded) -> float:
    """Return the likelihood of independent pixels, each value counted once more."""
    rate = (train.values.sum(axis=0) + 1.0) / (len(train) + 2.0)
    return float(np.log(np.where(test.values > 0, rate, 1 - rate)).sum(axis=1).mean())


def theirs(train: NDArray[np.float32], layout: Layout, seed: int) -> tuple[float, RestrictedMachine]:
    """Return the seconds that scikit-learn's machine takes for 100 iterations, and the machine as one of ours."""
    started = time.process_time()
    fitted = BernoulliRBM(n_components=HIDDEN, n_iter=100, random_state=seed).fit(train)
    seconds = time.process_time() - started
    machine = RestrictedMachine(VisibleUnits(layout), HIDDEN)
    with torch.no_grad():
        machine.weight.copy_(torch.from_numpy(fitted.components_.T))
        machine.bias.copy_(torch.from_numpy(fitted.intercept_hidden_))
        machine.units.bias.copy_(torch.from_numpy(fitted.intercept_visible_))
    return seconds, machine


def exact(machine: RestrictedMachine, test: Encoded) -> float:
    """Return the mean log-likelihood of test rows."""
    v = torch.tensor(test.values)
    return float(log_likelihood(machine, v, torch.ones_like(v, dtype=torch.bool)).mean()) - log_partition(machine)


def fitted(create: Any, train: Encoded, seed: int) -> tuple[float, Any]:
    """Return the seconds of a fit, and the model."""
    started = time.process_time()
    with torch.random.fork_rng():
        model = create().fit(train, LocalRun(seed=seed))
    return time.process_time() - started, model


def race(train: Encoded, test: Encoded, seed: int) -> Iterator[str]:
    """Yield lines on how soon our machine is as good as theirs after 100 iterations."""
    seconds, machine = theirs(train.values, train.layout, seed)
    goal = exact(machine, test)
    yield f"seed {seed}: BernoulliRBM {goal:.2f} nats after 100 iterations, {seconds:.2f} s"
    for epochs in RACE:
        ours, model = fitted(lambda: RestrictedBoltzmann(hidden=HIDDEN, **{**COMMON, "epochs": epochs}), train, seed)  # noqa: B023
        found = model.log_likelihood(test).mean()
        if found >= goal:
            share = f"{ours:.2f} s, {ours / seconds:.2f} of the time"
            yield f"seed {seed}: rbm {found:.2f} nats after {epochs} epochs, {share}"
            return
    yield f"seed {seed}: rbm did not get there in {RACE[-1]} epochs"


def estimates(model: RestrictedBoltzmann) -> Iterator[str]:
    """Yield lines on annealed importance sampling against the exact log partition function."""
    truth = log_partition(model.machine())
    for temperatures in (100, 1000, 10_000):
        found, _ = estimate_log_partition(model.machine(), torch.from_numpy(model.base_biases_), temperatures, runs=100)
        bars = f"[{found.low - truth:+.3f}, {found.high - truth:+.3f}]"
        yield f"annealing, {temperatures} temperatures, 100 runs: {found.value - truth:+.3f} nats off, bars {bars}"


def report(seeds: list[int], models: list[str]) -> Iterator[str]:
    """Yield the lines of the report."""
    train, test = digits()
    fitted(lambda: RestrictedBoltzmann(epochs=1), train, 0)  # imports and first calls before anything is timed
    yield f"{len(train)} rows to train on, {len(test)} to test; independent pixels {independent(train, test):.2f}"
    for seed in seeds:
        yield from race(train, test, seed)
    for name in models:
        found = [fitted(MODELS[name], train, seed) for seed in seeds]
        likelihoods = [model.log_likelihood(test).mean() for _, model in found]
        each = ", ".join(f"{value:.3f}" for value in likelihoods)
        seconds = np.mean([taken for taken, _ in found])
        yield f"{name}: {np.mean(likelihoods):.3f} nats ({each}), {seconds:.1f} s"
        if name == "rbm":
            yield from estimates(found[0][1])


def main() -> None:
    command = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    command.add_argument("--seeds", type=lambda text: [int(item) for item in text.split(",")], default=[0, 1, 2])
    command.add_argument("--models", type=lambda text: text.split(";"), default=list(MODELS), help="separated by ;")
    command.add_argument("--out", type=Path, help="write the report to this file too")
    options = command.parse_args()
    lines = []
    with calm(1):
        for line in report(options.seeds, options.models):
            print(line, flush=True)
            lines.append(line)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
