"""What models need of a network that gives rows an energy."""

from typing import Protocol

from torch import Tensor

from anomalo_boltzmann.networks.random_streams import UniformSource
from anomalo_boltzmann.networks.visible_units import VisibleUnits


class EnergyNetwork(Protocol):
    """What the verbs need of a network; rows are visible units [n, units] and whether they are known."""

    @property
    def units(self) -> VisibleUnits:
        """The visible units."""

    def marginal(self, v: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
        """Return -log p(known units) up to a constant, [n], and the expectations of all units given those."""

    def sweep(
        self, v: Tensor, noise: UniformSource, beta: float = 1.0, seen: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return expectations and new values of the visible units after one round of Gibbs sampling."""

    def codes(self, v: Tensor, seen: Tensor) -> Tensor:
        """Return the hidden units' expectations, [n, hidden]."""

    def rows(self, codes: Tensor) -> Tensor:
        """Return the visible units' expectations for hidden units, [n, units]."""
