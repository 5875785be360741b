"""The base of all models with an energy: they score, explain, impute, sample and embed by it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from anomalo.neural import Batch, NeuralModel, filled
from anomalo.plugin import FIRST_LEVEL, MISSING, Cells, Encoded, Filled, Floats, Run, Scores, param
from anomalo_boltzmann.likelihood.cell_surprisal import cell_surprisals
from anomalo_boltzmann.networks.energy_network import EnergyNetwork
from anomalo_boltzmann.networks.random_streams import RowStream, row_keys

CHAINS = 4
"""Chains that expectations and intervals of fills are taken over."""
INTERVAL = (0.05, 0.95)
MOST_PATTERNS = 4096
"""Training rows whose missing values are kept as patterns for synthetic rows, at most."""

Net = TypeVar("Net", bound=nn.Module)


@dataclass(kw_only=True)
class EnergyModel(NeuralModel[Net]):
    """A model that gives rows an energy; a subclass builds the network."""

    score_unit = "nats"

    learning_rate: float = param(0.01, low=1e-7, high=10.0, help="Step size at the start; it decays.")
    weight_decay: float = param(1e-4, low=0.0, high=1.0, help="Weight of half the sum of the weights' squares.")
    momentum: float = param(0.9, low=0.0, high=0.999, help="How much of the last steps' direction is kept.")
    numbers: str = param(
        "auto",
        choices=("auto", "gaussian", "bernoulli"),
        help="Units for numbers: Gaussian, or Bernoulli between their bounds; auto takes these for 0/1 columns only.",
    )
    gibbs: int = param(30, low=2, high=100_000, help="Gibbs sweeps of each chain that fills or samples.")

    chunk = 256

    def energy_network(self, net: Net) -> EnergyNetwork:
        """Return the part of a network that has an energy."""
        raise NotImplementedError

    def validation(self, net: Net, x: Tensor, observed: Tensor) -> Tensor:
        """Return the surprisal of hidden cells given the others, in nats per cell: a fifth is hidden at random."""
        network = self.energy_network(net)
        shown = observed & (torch.rand(x.shape, device=x.device) >= 0.2)
        truth, known = network.units.encode(x, observed)
        _, expected = network.marginal(*network.units.encode(x, shown))
        hidden = known & ~network.units.encode(x, shown)[1]
        cells = (observed & ~shown).sum().clamp(min=1)
        return (network.units.surprisal(truth, expected) * hidden).sum() / cells

    def monitor(self, net: Net, phase: str, train: Batch, held: Batch) -> dict[str, float]:
        """Return the mean free energy of training and held-out rows: where they diverge, the machine overfits."""
        network = self.energy_network(net)
        named = {"free_energy": train, "held_out_free_energy": held}
        return {name: float(network.marginal(*network.units.encode(*rows))[0].mean()) for name, rows in named.items()}

    def finish(self, data: Encoded, run: Run) -> None:
        """Remember which cells are missing together."""
        rows = np.sort(run.rng.permutation(len(data))[:MOST_PATTERNS])
        self.missing_patterns_ = (~data.observed[rows]).astype(np.uint8)

    def score(self, data: Encoded) -> Scores:
        """Return the rows' free energies, float64 [n], in nats: -log p(row) up to the log partition function.

        Missing cells are summed out, by mean field.
        """
        network = self.energy_network(self.net)
        energy = self.infer(lambda x, observed: (network.marginal(*network.units.encode(x, observed))[0],), data)[0]
        return energy.astype(np.float64)

    def explain(self, data: Encoded) -> Cells:
        """Return each cell's surprisal given the row's other cells, and its expectation given those.

        F(row) - F(row without the cell) is -log p(cell | others), because the partition function cancels. The rest of
        the free energy is shared equally among the columns.
        """
        network, columns = self.energy_network(self.net), len(data.layout.blocks)

        def cells(x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
            v, seen = network.units.encode(x, observed)
            surprisal, expected = cell_surprisals(network, v, seen)
            surprisal = torch.where(observed, surprisal, 0.0)
            rest = (network.marginal(v, seen)[0] - surprisal.sum(dim=1)) / columns
            return surprisal + rest[:, None], network.units.decode(expected)

        contribution, expected = self.infer(cells, data)
        return Cells(contribution.astype(np.float64), expected)

    def impute(self, data: Encoded, draws: int = 0) -> Filled:
        """Fill missing cells by Gibbs sampling with the observed ones clamped.

        A fill is the mean of the cell's conditional expectations over the second halves of the chains, its interval
        the quantiles of the states that they visited. Each draw is the last state of another chain, so that its cells
        belong together.
        """
        expected, quantiles = data.values.copy(), np.repeat(data.values[:, None], 2 + draws, axis=1)
        proba = [_certain(data, int(at)) for at in data.layout.categories]
        rows = np.flatnonzero(~data.observed.all(axis=1))
        if len(rows):
            part = data.take(rows)
            found = self.in_chunks(self._chains(draws), part.values, part.observed, row_keys(part, self.seed_))
            expected[rows], quantiles[rows] = found[0], found[1]
            for at, shares, chances in zip(data.layout.categories, proba, found[2:], strict=True):
                missing = ~part.observed[:, at]
                shares[rows[missing]] = chances[missing]
        return filled(data, expected, quantiles, proba)

    def _chains(self, draws: int) -> Callable[[Tensor, Tensor, Tensor], Sequence[Tensor]]:
        network, burnt = self.energy_network(self.net), self.gibbs // 2

        def run(x: Tensor, observed: Tensor, key: Tensor) -> Sequence[Tensor]:
            v, seen = network.units.encode(x, observed)
            _, start = network.marginal(v, seen)
            total, visited, ends = torch.zeros_like(v), [], []
            for chain in range(max(CHAINS, draws)):
                noise, state = RowStream(key, chain), start
                for at in range(self.gibbs):
                    expected, state = network.sweep(state, noise, seen=seen)
                    if chain < CHAINS and at >= burnt:
                        total = total + expected
                        visited.append(state[:, : network.units.count])
                ends.append(network.units.decode(state))
            mean = total / len(visited)
            low, high = _quantiles(torch.stack(visited), INTERVAL)
            both = [network.units.decode(low.minimum(mean)), network.units.decode(high.maximum(mean)), *ends[:draws]]
            chances = [torch.nn.functional.normalize(p, p=1, dim=1) for p in network.units.probabilities(mean)]
            return network.units.decode(mean), torch.stack(both, dim=1), *chances

        return run

    def sample(self, given: Encoded, run: Run) -> Encoded:
        """Return rows drawn from the machine; the observed cells of `given` are the condition, and stay as they are.

        Each row is the last state of a chain that starts without connections and gains them until its middle; it is
        twice as long as one that fills. A row's missing values are those of a training row, whatever its other values
        are.
        """
        self.use(run.device)
        network = self.energy_network(self.net)

        def chain(x: Tensor, observed: Tensor, key: Tensor) -> tuple[Tensor]:
            noise = RowStream(key)
            v, seen = network.units.encode(x, observed)
            state = v
            for at in range(2 * self.gibbs):
                _, state = network.sweep(state, noise, min(1.0, at / self.gibbs), seen)
            return (network.units.decode(state),)

        key = run.rng.integers(2**53, size=len(given), dtype=np.int64)
        values = self.in_chunks(chain, given.values, given.observed, key)[0]
        for at in given.layout.numbers:
            block = given.layout.blocks[at]
            np.clip(values[:, at], block.low, block.high, out=values[:, at])
        present = given.observed | (run.rng.choice(self.missing_patterns_, size=len(given)) == 0)
        values = np.where(given.observed, given.values, np.where(present, values, np.float32(MISSING)))
        return replace(given, values=values, observed=present)

    def embed(self, data: Encoded) -> Floats:
        """Return the hidden units' expectations, float32 [n, hidden]: the probabilities of Bernoulli units."""
        network = self.energy_network(self.net)
        return self.infer(lambda x, observed: (network.codes(*network.units.encode(x, observed)),), data)[0]

    def decode(self, codes: Floats) -> Floats:
        """Return the rows expected for hidden units [n, hidden], float32 [n, columns] in encoded units."""
        network = self.energy_network(self.net)
        points = codes.astype(np.float32, copy=False)
        return self.in_chunks(lambda h: (network.units.decode(network.rows(h)),), points)[0]


def _quantiles(values: Tensor, shares: Sequence[float]) -> list[Tensor]:
    """Return linearly interpolated quantiles over the first axis of [k, n, units]."""
    ordered, last = values.sort(dim=0).values, len(values) - 1
    return [torch.lerp(ordered[int(s * last)], ordered[min(int(s * last) + 1, last)], s * last % 1) for s in shares]


def _certain(data: Encoded, position: int) -> NDArray[np.float32]:
    """Return probabilities [n, size] that are 1 for the level that a row has."""
    levels = np.arange(data.layout.blocks[position].size) + FIRST_LEVEL
    chances: NDArray[np.float32] = (data.values[:, position, None] == levels).astype(np.float32)
    return chances
