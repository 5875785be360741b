"""Fit a model that fails in one of several processes: `torchrun … failing_fit.py RANK WHEN`.

WHEN is "step", in which an error is raised, or "loss", which is not a number from then on.
"""

import os
import sys
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor, nn

from anomalo.errors import AnomaloError
from anomalo.models.run import LocalRun
from anomalo.neural import NeuralModel, part_of_mean, split_rows
from anomalo.nn.distributed.processes import run_with_others
from anomalo.plugin import Block, Encoded, Layout


@dataclass(kw_only=True)
class Failing(NeuralModel):
    name = "failing"
    rank: str = ""
    when: str = ""
    steps: int = field(default=0, init=False)

    def build(self, layout: Layout) -> nn.Module:
        return nn.Linear(2, 1)

    def loss(self, net: nn.Module, x: Tensor, observed: Tensor) -> Tensor:
        self.steps += 1
        (x,) = split_rows(x)
        if self.steps > 5 and os.environ["RANK"] == self.rank:
            if self.when == "step":
                raise AnomaloError("no memory left")
            return net(x).mean() * float("nan")
        return part_of_mean(net(x).square().mean())


def fit(rank: str, when: str) -> int:
    values = np.random.default_rng(0).normal(size=(200, 2)).astype(np.float32)
    layout = Layout("table", (2,), (Block("a", "number", 0), Block("b", "number", 1)))
    try:
        Failing(rank=rank, when=when).fit(Encoded(values, np.ones(values.shape, dtype=bool), layout), LocalRun())
    except AnomaloError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    sys.exit(run_with_others(lambda: fit(*sys.argv[1:])))
