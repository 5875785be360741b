"""Figures of columns with a unit have it wherever people read them; errors are those of columns with enough cells."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROWS = 200


@pytest.fixture(scope="module")
def parcels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of parcels with prices in dollars and weights in kg, some missing, and a note on few of them."""
    rng = np.random.default_rng(0)
    weight = rng.lognormal(1, 0.4, ROWS).round(2)
    price = (3 + 2 * weight + rng.normal(0, 0.3, ROWS)).round(2)
    price[7] = 95.25
    frame = pd.DataFrame(
        {
            "weight": [f"{value:.2f} kg" for value in weight],
            "price": [f"${value:.2f}" for value in price],
            "discount": [f"{value:.1f}" if row < 25 else "" for row, value in enumerate(rng.normal(5, 2, ROWS))],
        }
    )
    frame.loc[[3, 50, 90], ["weight", "price"]] = [["", "$9.10"], ["2.00 kg", ""], ["", "$7.20"]]
    path = tmp_path_factory.mktemp("parcels") / "parcels.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def fitted(parcels: Path, anomalo, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:  # type: ignore[no-untyped-def]
    workspace = tmp_path_factory.mktemp("workspace")
    options = ("--model", "linear", "--as", "parcels", "--set", "epochs=30", "--workspace", workspace)
    outcome = anomalo("fit", parcels, *options)
    assert outcome.code == 0, outcome.err
    return workspace, outcome.out


def test_errors_have_the_unit_and_enough_evidence(fitted: tuple[Path, str], anomalo) -> None:  # type: ignore[no-untyped-def]
    workspace, printed = fitted
    lines = {line.split()[0]: line for line in printed.splitlines() if line.strip()}
    assert lines["weight"].count(" kg") == 2
    assert lines["price"].count("$") == 2
    assert "discount" not in lines  # 25 cells are too few
    shown = anomalo("models", "parcels", "--workspace", workspace).out
    assert " kg, of the mean or mode " in shown
    assert "discount:" not in shown
    summary = anomalo("models", "parcels", "--workspace", workspace, "--json").json["summary"]
    assert set(summary["errors"]) == {"weight", "price"}
    assert summary["units"] == {"weight": ["", " kg"], "price": ["$", ""]}


def test_reasons_and_intervals_have_the_unit(fitted: tuple[Path, str], parcels: Path, anomalo) -> None:  # type: ignore[no-untyped-def]
    shown = anomalo("explain", parcels, "--with", "parcels", "--row", 7, "--workspace", fitted[0]).out
    (line,) = [line for line in shown.splitlines() if line.startswith("price")]
    cells = line.split()
    assert cells[2] == "$95.25"
    low, expected, high = (float(cell.removeprefix("$")) for cell in (cells[4], cells[3], cells[6]))
    assert low <= expected <= high < 95
    assert all(cell.startswith("$") for cell in (cells[3], cells[4], cells[6]))
    scored = anomalo("score", parcels, "--with", "parcels", "--workspace", fitted[0])
    assert "price is $95.25, expected $" in scored.out
