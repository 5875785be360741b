"""Project codes of rows to two dimensions: by principal components, or by t-SNE in a separate process."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import numpy as np
from numpy.typing import NDArray

from anomalo.errors import AnomaloError

MAX_POINTS = 3_000
"""The most points in a chart."""
FEW_POINTS = 1_500
"""All rows are points where they are no more."""
MAX_TSNE_ROWS = 2_000
"""The most rows for t-SNE, whose time grows faster than their number."""
MIN_TSNE_ROWS = 10
"""The fewest rows for t-SNE; fewer have no neighbourhoods."""
PERPLEXITY = 30.0

Points = NDArray[np.float32]
Rows = NDArray[np.intp]


def sample(order: Rows, alert: NDArray[np.bool_], most: int) -> Rows:
    """Return at most `most` rows, ascending: the most anomalous alerts, up to a half, and other rows at random.

    Parameters
    ----------
    order : int [n]
        Row numbers, most anomalous first.
    alert : bool [n]
        Which rows are alerts.

    Examples
    --------
    >>> sample(np.array([3, 0, 1, 2]), np.array([True, False, False, True]), 4).tolist()
    [0, 1, 2, 3]
    """
    if len(order) <= most:
        return np.sort(order)
    first = order[alert[order]][: most // 2]
    others = np.setdiff1d(order, first)
    return np.sort(np.concatenate([first, np.random.default_rng(0).choice(others, most - len(first), replace=False)]))


def principal_components(codes: Points) -> tuple[Points, NDArray[np.float64]]:
    """Return the first two principal components of codes [n, latent], [n, 2], and their shares of the variance, [2].

    The largest entry of each direction is positive, so that the same codes never give a mirrored map.
    """
    centred = codes.astype(np.float64) - codes.mean(axis=0, dtype=np.float64)
    variances, directions = np.linalg.eigh(centred.T @ centred)
    first = directions[:, ::-1][:, :2]
    first = first * np.sign(first[np.abs(first).argmax(axis=0), np.arange(first.shape[1])])
    points, shares = np.zeros((len(codes), 2), dtype=np.float32), np.zeros(2)
    points[:, : first.shape[1]] = centred @ first
    shares[: first.shape[1]] = variances[::-1][:2] / max(variances.sum(), np.finfo(np.float64).tiny)
    return points, shares


def tsne(codes: Points) -> Points:
    """Return coordinates of codes [n, latent] by t-SNE, [n, 2], computed in a separate process.

    Raises
    ------
    AnomaloError
        The process failed.

    Reference: van der Maaten and Hinton (2008), Visualizing data using t-SNE, JMLR 9.
    """
    given = io.BytesIO()
    np.save(given, codes)
    # One thread, so that sums have one order and the same codes give the same map.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "anomalo_dashboard.projection"]
    done = subprocess.run(command, input=given.getvalue(), env=environment, capture_output=True, check=False)
    if done.returncode:
        last = (done.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise AnomaloError(f"t-SNE of {len(codes):,} rows failed: {last}")
    return np.asarray(np.load(io.BytesIO(done.stdout)))


def _tsne(codes: Points) -> Points:
    from sklearn.manifold import TSNE

    perplexity = min(PERPLEXITY, (len(codes) - 1) / 3)
    return np.asarray(TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(codes), np.float32)


if __name__ == "__main__":
    try:
        np.save(sys.stdout.buffer, _tsne(np.load(io.BytesIO(sys.stdin.buffer.read()))))
    except (ValueError, MemoryError) as error:
        sys.exit(str(error).partition("\n")[0] or "out of memory")
