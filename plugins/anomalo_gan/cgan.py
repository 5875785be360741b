"""The conditional GAN, trained by sampling rare levels."""

from dataclasses import dataclass

import torch
from torch import Tensor

from anomalo.neural import draw_rows_by_code
from anomalo_gan.gan import Gan
from anomalo_gan.networks.gan_network import GanNetwork
from anomalo_gan.training.random_conditions import draw_conditions


@dataclass(kw_only=True)
class ConditionalGan(Gan):
    """A generative adversarial network that is given one level of a row, rare ones more often than they occur.

    A share `given` of each batch is drawn anew so that the levels of a column (the label, if there is one) are almost
    equally frequent, and the generator is given that level as a one-hot condition. The others are as in `gan`: nothing
    is given, or any cells, so that rows can be generated from whatever is given of them.

    Reference: Mirza and Osindero (2014), Conditional generative adversarial nets; Xu et al. (2019), Modeling tabular
    data using conditional GAN, NeurIPS.

    Examples
    --------
    >>> ConditionalGan(given=0.3).params()["given"]
    0.3
    """

    name = "cgan"

    def draw_batch(self, net: GanNetwork, x: Tensor, observed: Tensor) -> tuple[Tensor, Tensor]:
        """Return real rows [n, entries], some of them drawn by rare levels, and which items [n, items] are given."""
        width, conditioned = net.format.width, int(len(x) * self.given)
        if x.shape[1] == width or not conditioned:
            return super().draw_batch(net, x, observed)
        row, code = draw_rows_by_code(x[:, width:].long(), conditioned, torch.log1p, self.transform.label)
        level = (net.column == net.column[width + code][:, None]).float()
        x, observed = torch.cat([x[row], x[conditioned:]]), torch.cat([observed[row], observed[conditioned:]])
        others = draw_conditions(len(x) - conditioned, net.column, self.given)
        return net.format.encode(x, observed), torch.cat([level, others])
