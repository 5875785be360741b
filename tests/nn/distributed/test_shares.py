"""The parts of a loss sum to the loss of the batch, and a loss whose parts do not is found out."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import Tensor, nn

from anomalo.nn.distributed.gradients import SharedGradients
from anomalo.nn.distributed.shares import (
    Part,
    draw_rows,
    mean_of_batch,
    part_of_mean,
    sharing,
    split_rows,
    sum_of_batch,
)

X = torch.randn(7, 3, generator=torch.Generator().manual_seed(0))
SEEN = torch.rand(7, 3, generator=torch.Generator().manual_seed(1)) < 0.7

Objective = Callable[[nn.Module, Tensor, Tensor], Tensor]


def observed_mean(net: nn.Module, x: Tensor, seen: Tensor) -> Tensor:
    x, seen = split_rows(x, seen)
    return ((net(x) - x).square() * seen).sum() / sum_of_batch(seen.sum())


def of_the_mean_code(net: nn.Module, x: Tensor, seen: Tensor) -> Tensor:
    """A term that is not a mean over rows: of their mean."""
    (x,) = split_rows(x)
    return part_of_mean(net(x).square().mean() + mean_of_batch(net(x).mean(dim=0)).exp().sum())


def coupled(net: nn.Module, x: Tensor, seen: Tensor) -> Tensor:
    """As `of_the_mean_code`, but each process takes the mean of its rows."""
    (x,) = split_rows(x)
    return part_of_mean(net(x).square().mean() + net(x).mean(dim=0).exp().sum())


def not_split(net: nn.Module, x: Tensor, seen: Tensor) -> Tensor:
    return (net(x) - x).square().mean()


def of_threads(objective: Objective, count: int, steps: int = 2) -> list[tuple[bool | None, Tensor, Tensor]]:
    """Return what each of several threads, in the role of processes, finds in the last of some equal steps."""
    barrier, parts = threading.Barrier(count), [torch.zeros(0)] * count
    networks = [network() for _ in range(count)]  # before the threads, which share one random generator

    def run(number: int) -> tuple[bool | None, Tensor, Tensor]:
        def add(tensor: Tensor) -> Tensor:
            parts[number] = tensor.clone()
            barrier.wait(timeout=60)
            total = torch.stack(parts).sum(dim=0)
            barrier.wait(timeout=60)
            return total

        net = networks[number]
        gradients = SharedGradients(Part(number, count, add), net, list(net.parameters()), torch.device("cpu"))
        for _ in range(steps):
            net.zero_grad()
            loss = gradients(lambda: objective(net, X, SEEN))
        return gradients.exact, loss, gradient(net)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


def network() -> nn.Module:
    net = nn.Linear(3, 3)
    with torch.no_grad():
        net.weight.copy_(torch.arange(9.0).view(3, 3) / 10)
        net.bias.fill_(0.1)
    return net


def gradient(net: nn.Module) -> Tensor:
    return torch.cat([p.grad.flatten() for p in net.parameters() if p.grad is not None])


def alone(objective: Objective) -> tuple[Tensor, Tensor]:
    net = network()
    loss = objective(net, X, SEEN)
    torch.autograd.backward(loss)
    return loss.detach(), gradient(net)


@pytest.mark.parametrize("count", [2, 3, 7])
@pytest.mark.parametrize("objective", [observed_mean, of_the_mean_code])
def test_the_parts_sum_to_the_batch(objective: Objective, count: int) -> None:
    expected = alone(objective)
    for exact, *found in of_threads(objective, count):
        assert exact
        torch.testing.assert_close(tuple(found), expected)


@pytest.mark.parametrize("objective", [coupled, not_split])
def test_a_loss_that_is_no_sum_is_found_out_and_computed_whole(objective: Objective) -> None:
    expected = alone(objective)
    for exact, *found in of_threads(objective, 2, steps=1):
        assert exact is False
        torch.testing.assert_close(tuple(found), expected, rtol=0, atol=0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_the_rows_are_divided_and_their_random_numbers_are_those_of_the_batch(count: int) -> None:
    taken, drawn = [], []
    for number in range(count):
        with sharing(Part(number, count, lambda tensor: tensor)):
            (rows,) = split_rows(X)
            taken.append(rows)
            torch.manual_seed(0)
            drawn.append(draw_rows(lambda n: torch.randn(2, n), len(rows), dim=1))
    assert torch.equal(torch.cat(taken), X)
    torch.manual_seed(0)
    assert torch.equal(torch.cat(drawn, dim=1), torch.randn(2, len(X)))


def test_fewer_rows_than_processes_are_not_divided() -> None:
    with sharing(Part(8, 9, lambda tensor: tensor)):
        assert split_rows(X)[0] is X


def test_one_process_computes_what_it_always_did() -> None:
    value = X.sum()
    assert sum_of_batch(value) is value
    assert mean_of_batch(value) is value
    assert part_of_mean(value) is value
