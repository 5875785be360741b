"""AdamW takes the same steps as torch's, without loading the compiler."""

import subprocess
import sys

import torch

from anomalo.nn.optimiser import AdamW

SCRIPT = """
import sys, torch
from anomalo.nn.optimiser import AdamW
weight = torch.nn.Parameter(torch.zeros(2))
optimiser = AdamW([weight], lr=0.1, fused=True)
weight.grad = torch.ones(2)
optimiser.step()
optimiser.zero_grad()
print(weight[0].item(), "torch._dynamo" in sys.modules)
"""


def test_steps_are_those_of_torch() -> None:
    weights = [torch.nn.Parameter(torch.linspace(-1, 1, 5)) for _ in range(2)]
    options = {"lr": 0.1, "weight_decay": 0.02}
    ours, theirs = AdamW(weights[:1], **options), torch.optim.AdamW(weights[1:], **options)
    for number in range(4):
        for optimiser, weight in zip((ours, theirs), weights, strict=True):
            optimiser.zero_grad()
            (weight - number).square().sum().backward()
            assert isinstance(weight.grad, torch.Tensor)
            optimiser.step()
    assert torch.equal(weights[0], weights[1])
    assert weights[0].requires_grad


def test_a_step_does_not_load_the_compiler() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    value, loaded = done.stdout.split()
    assert float(value) < 0
    assert loaded == "False"
