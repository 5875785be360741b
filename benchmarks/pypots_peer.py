"""SAITS and BRITS of PyPOTS as peers of the networks of series, where it is installed: `pip install pypots` (1.5).

    python benchmarks/series.py --data FOLDER etth1 --models gaussian pypots:saits pypots:brits --set epochs=10

They learn from as many random training windows as anomalo's networks by default, with PyPOTS's own way of hiding cells.

References: Du, Côté and Liu (2023), SAITS: self-attention-based imputation for time series, Expert Systems with
Applications 219; Cao et al. (2018), BRITS: bidirectional recurrent imputation for time series, NeurIPS.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np

from anomalo.encoding.encoded import Encoded

WINDOWS = 4000
"""Training windows, at most."""
SIZES: dict[str, dict[str, Any]] = {
    "saits": {"n_layers": 2, "d_model": 64, "n_heads": 4, "d_k": 16, "d_v": 16, "d_ffn": 128},
    "brits": {"rnn_hidden_size": 64},
}


class Peer:
    """A model of PyPOTS that fills hidden cells of windows, by the same calls as anomalo's models."""

    def __init__(self, name: str, epochs: int, seed: int) -> None:
        try:
            from pypots import imputation
        except ImportError as error:
            raise SystemExit(f"pypots:{name} needs PyPOTS: {error}; pip install pypots") from error
        self._kind, self._sizes = getattr(imputation, name.upper()), SIZES[name]
        self._epochs, self._seed = epochs, seed

    def fit(self, data: Encoded) -> Peer:
        """Train on random windows."""
        from pypots.utils.random import set_random_seed

        set_random_seed(self._seed)
        rows = np.random.default_rng(self._seed).permutation(len(data))[:WINDOWS]
        points, columns = data.layout.shape
        self._model = self._kind(points, columns, **self._sizes, epochs=self._epochs, batch_size=128, device="cpu")
        self._model.fit({"X": with_holes(data.take(np.sort(rows)))})
        return self

    def impute(self, data: Encoded) -> SimpleNamespace:
        """Return fills as the attribute `point`."""
        found = np.asarray(self._model.predict({"X": with_holes(data)})["imputation"])
        return SimpleNamespace(point=np.where(data.observed, data.values, found.reshape(data.values.shape)))


def with_holes(data: Encoded) -> np.ndarray:
    """Return windows with NaN where nothing is observed."""
    return np.where(data.observed, data.values, np.nan).astype(np.float32)
