"""Imputation by codes that are drawn from a proposal and weighted by their importance."""

import torch
from torch import Tensor

from anomalo.neural import ColumnHeads, compressed, natural
from anomalo_autoencoders.variational.variational_network import VariationalNet

QUANTILES = 16
"""A number's Gaussian is represented by this many equally likely values."""
HALF_INTERVAL = 1.6449
"""Half of a 90 % interval, in standard deviations."""


def quantile_nodes(heads: ColumnHeads, parameters: Tensor) -> Tensor:
    """Return equally likely values of each number, standardised, with the Gaussian's variance, [n, k, numbers]."""
    steps = torch.special.ndtri((torch.arange(QUANTILES, device=parameters.device) + 0.5) / QUANTILES)
    steps = steps / steps.square().mean().sqrt()
    nodes: Tensor = heads.center(parameters)[:, None] + heads.scale() * steps[:, None]
    return nodes


class WeightedCodes:
    """Codes z_k of a batch of rows with their self-normalised importance weights.

    w_k is proportional to p(observed cells | z_k) p(z_k) / q(z_k | observed cells).

    Parameters
    ----------
    net : VariationalNet
        Maps codes to parameters of its heads' likelihoods, and models how a missing cell differs from an observed one.
    codes, log_weights : float32 [codes, n, latent], [codes, n]

    Reference: Mattei and Frellsen (2019), MIWAE, ICML, equations 11 and 12; Rubin (1988) for resampling.
    """

    def __init__(self, net: VariationalNet, codes: Tensor, log_weights: Tensor) -> None:
        self.net, self.heads, self.codes, self.missingness = net, net.heads, codes, net.missingness
        self.weights = torch.softmax(log_weights, dim=0)

    def expectation(self) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Return expected cells [n, columns], the ends of numbers' intervals [n, 2, columns], and probabilities."""
        heads, moments, shares = self.heads, torch.zeros(3, 1, 1), torch.zeros(1, 1)
        for code, weight in zip(self.codes, self.weights, strict=True):
            parameters = self.net.decode(code)
            moments = moments.to(code) + weight[:, None] * self._moments(parameters)
            shares = shares.to(code) + weight[:, None] * self._shares(parameters)
        at_scale, first, second = moments
        pooled = torch.cat([first, (shares + 1e-12).log()], dim=1)
        margin = (second - first.square()).clamp(min=0).sqrt() * HALF_INTERVAL
        expected = heads.expected(pooled)
        numbers = heads.numbers
        ends = expected[:, None].repeat(1, 2, 1)
        expected = expected.index_copy(1, numbers, compressed(at_scale))
        ends = ends.index_copy(2, numbers, heads.encoded(torch.stack([first - margin, first + margin], dim=1)))
        return expected, ends, heads.probabilities(pooled)

    def _moments(self, parameters: Tensor) -> Tensor:
        """Return E[x] of missing numbers on their natural scale, and E[x], E[x^2] standardised, [3, n, numbers]."""
        values = quantile_nodes(self.heads, parameters)
        share = torch.softmax(self.missingness.of_numbers(values), dim=1)
        parts = natural(self.heads.encoded(values)), values, values.square()
        return torch.stack([(share * part).sum(dim=1) for part in parts])

    def _shares(self, parameters: Tensor) -> Tensor:
        """Return the probabilities of missing categories, in the order of the parameters, [n, parameters of levels]."""
        parameters = self.missingness.of_levels(parameters)
        parts = [group.log_probabilities(parameters).exp().flatten(1) for group in self.heads.groups]
        return torch.cat([parameters[:, :0], *parts], dim=1)

    def draw(self, uniform: Tensor) -> Tensor:
        """Draw cells, [n, draws, columns]: a code by its weight, then each missing cell given the code.

        Parameters
        ----------
        uniform : float32 [n, draws, 1 + columns]
            The first chooses the code.
        """
        bounds = self.weights.cumsum(dim=0).T.contiguous()
        chosen = torch.searchsorted(bounds, uniform[:, :, 0].contiguous()).clamp_(max=len(self.codes) - 1)
        rows = torch.arange(len(chosen), device=chosen.device)
        drawn = [
            self._draw_given_code(self.codes[at, rows], levels)
            for at, levels in zip(chosen.T, uniform.unbind(1), strict=True)
        ]
        return torch.stack(drawn, dim=1) if drawn else uniform[:, :, 1:]

    def _draw_given_code(self, code: Tensor, uniform: Tensor) -> Tensor:
        parameters, levels = self.net.decode(code), uniform[:, 1:].clone()
        shares = torch.softmax(self.missingness.of_numbers(quantile_nodes(self.heads, parameters)), dim=1)
        numbers = self.heads.numbers
        levels[:, numbers] = level_of_missing(shares, levels[:, numbers])
        return self.heads.quantiles(self.missingness.of_levels(parameters), levels[:, None])[:, 0]


def level_of_missing(shares: Tensor, uniform: Tensor) -> Tensor:
    """Turn uniform numbers [n, numbers] into levels of distributions whose quantile ranges have uneven shares.

    Parameters
    ----------
    shares : float32 [n, k, numbers]
        Of the quantile ranges, in order; they sum to 1.
    """
    bounds = shares.cumsum(dim=1)
    at = (bounds < uniform[:, None]).sum(dim=1, keepdim=True).clamp_(max=shares.shape[1] - 1)
    share = shares.gather(1, at).clamp(min=1e-12)
    inside = 1 - (bounds.gather(1, at) - uniform[:, None]) / share
    return ((at + inside.clamp(0, 1)) / shares.shape[1]).squeeze(1)


def log_weights(noise: Tensor, mean: Tensor, log_variance: Tensor) -> tuple[Tensor, Tensor]:
    """Return codes z = mean + std * noise [..., n, latent] and log p(z) - log q(z), [..., n]."""
    code = mean + (0.5 * log_variance).exp() * noise
    return code, 0.5 * (noise.square() - code.square() + log_variance).sum(dim=-1)
