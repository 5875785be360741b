"""A recurrent sequence autoencoder."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from anomalo.plugin import Encoded, Floats, Layout, param
from anomalo_series.channels import Channels
from anomalo_series.networks.layers import Steps
from anomalo_series.networks.series_network import SeriesNet, SeriesNetwork

CELLS = {"gru": nn.GRU, "lstm": nn.LSTM}


class Recurrence(SeriesNet):
    """Reads the steps of a window to a code, and unrolls them from it.

    Parameters
    ----------
    points, columns : int
        Of a window.
    width : int
        Units of either recurrent layer.
    latent : int
        The width of the code.
    cell : {"gru", "lstm"}
    """

    def __init__(self, points: int, columns: int, width: int, latent: int, cell: str) -> None:
        super().__init__()
        self.steps = Steps(points, columns)
        self.reader = CELLS[cell](2 * self.steps.cells, width, batch_first=True)
        self.to_code, self.from_code = nn.Linear(width, latent), nn.Linear(latent, width)
        self.writer = CELLS[cell](width, width, batch_first=True)
        self.heads = nn.Linear(width, self.steps.cells)

    def encode(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the codes of windows, [n, latent]."""
        code: Tensor = self.to_code(self.reader(self.steps.seen(x, observed))[0][:, -1])
        return code

    def decode(self, code: Tensor) -> Tensor:
        """Return the windows of codes, [n, T, columns]."""
        start = self.from_code(code)[:, None].expand(-1, self.steps.count, -1)
        return self.steps.join(self.heads(self.writer(start.contiguous())[0]))

    def forward(self, x: Tensor, observed: Tensor) -> Tensor:
        """Return the reconstructions of windows."""
        return self.decode(self.encode(x, observed))


@dataclass(kw_only=True)
class Recurrent(SeriesNetwork[Recurrence]):
    """Expects of a window what a recurrent autoencoder reconstructs of it through a narrow code.

    A long window is read in steps of several points, 24 at most.

    References: Malhotra, Ramakrishnan, Anand, Vig, Agarwal and Shroff (2016), LSTM-based encoder-decoder for
    multi-sensor anomaly detection, ICML workshop; Cho et al. (2014), Learning phrase representations using RNN
    encoder-decoder for statistical machine translation, EMNLP, for the gated units.
    """

    name = "recurrent"

    width: int = param(48, low=1, high=4096, help="Units of either recurrent layer.")
    latent: int = param(8, low=1, high=4096, help="Width of the code.")
    cell: str = param("gru", choices=tuple(CELLS), help="The recurrent unit.")

    def build(self, layout: Layout) -> Recurrence:
        """Return the network for windows of this length."""
        return Recurrence(layout.shape[0], Channels(layout).count, self.width, self.latent, self.cell)

    def embed(self, data: Encoded) -> Floats:
        """Return the codes of windows, float32 [n, latent]."""
        opened = Channels(data.layout).open(data)
        return self.in_chunks(lambda x, observed: (self.net.encode(x, observed),), *opened)[0]

    def decode(self, codes: Floats) -> Floats:
        """Return the windows that codes stand for, float32 [n, T, C]."""
        return Channels(self.layout_).levels(self.in_chunks(lambda code: (self.net.decode(code),), codes)[0])
