"""`--safe-csv`: no file that a verb writes holds a formula; without it cells are unchanged to the character."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

FORMULA = "=1+1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("formulas")


@pytest.fixture(scope="module")
def home(anomalo: Any, patients: pd.DataFrame, folder: Path) -> Any:
    """A table with formulas for ids, levels and names of columns, and models of it; call verbs there."""
    table = patients.assign(name="=" + patients["name"], colour=patients["colour"].replace("red", FORMULA))
    table.rename(columns={"colour": "@colour"}).to_csv(folder / "table.csv", index=False)

    def call(*arguments: object) -> None:
        outcome = anomalo(*arguments, "--workspace", folder / "workspace", "--device", "cpu")
        assert outcome.code == 0, outcome.err

    fit = ("fit", folder / "table.csv", "--id", "name", "--set")
    call(*fit, "epochs=2", "--as", "full", "--model", "undercomplete")
    call("fit", folder / "table.csv", "--as", "maker", "--model", "bootstrap", "--for", "sample")
    return lambda verb, *more: call(*([verb] if verb == "augment" else [verb, folder / "table.csv"]), *more)


VERBS = {
    "score": ("--with", "full", "--threshold", "budget=3"),
    "impute": ("--with", "full"),
    "repair": ("--with", "full", "--threshold", "budget=3"),
    "embed": ("--with", "full"),
    "augment": ("--with", "maker", "-n", "50"),
}


def texts(path: Path) -> list[str]:
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return [*frame.columns, *frame.to_numpy().ravel()]


@pytest.mark.parametrize(("verb", "options"), VERBS.items(), ids=VERBS)
def test_a_verb_writes_no_formulas_if_asked(verb: str, options: tuple[str, ...], home: Any, tmp_path: Path) -> None:
    home(verb, *options, "-o", tmp_path / "safe.csv", "--safe-csv")
    home(verb, *options, "-o", tmp_path / "exact.csv")
    exact, safe = texts(tmp_path / "exact.csv"), texts(tmp_path / "safe.csv")
    assert not [text for text in safe if text.startswith(("=", "@"))]
    assert safe == [f"'{text}" if text.startswith(("=", "@")) else text for text in exact]
    assert verb == "repair" or any(text.startswith("=") for text in exact)


@pytest.mark.slow
def test_the_table_that_a_scan_imputes_too(home: Any, folder: Path) -> None:
    for options in ((), ("--safe-csv",)):
        home("scan", "--model", "undercomplete", "--set", "epochs=2", *options)
    exact, safe = (texts(path) for path in sorted(folder.glob("workspace/runs/*-impute/filled.csv"))[-2:])
    assert FORMULA in exact
    assert safe == [f"'{text}" if text.startswith(("=", "@")) else text for text in exact]


def test_the_repaired_table_too(home: Any, tmp_path: Path) -> None:
    home("repair", *VERBS["repair"], "--apply", "-o", tmp_path / "safe.csv", "--safe-csv")
    found = texts(tmp_path / "safe.csv")
    assert f"'{FORMULA}" in found
    assert not [text for text in found if text.startswith(("=", "@"))]
