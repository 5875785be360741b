"""What tests of jobs and of the command line share: a table, a workspace with models, a way to call a verb."""

import ctypes
import importlib.util
import io
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomalo.cli.app import _run
from anomalo.registry.registry import Registry

ROWS = 240


def pytest_addoption(parser: pytest.Parser) -> None:
    text = "the engines that tests of engines run on, of local and ray; by default local"
    parser.addoption("--engines", default="local", help=text)


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Call = Callable[..., Outcome]


def call(*arguments: object) -> Outcome:
    """Run the command line in this process."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["anomalo", *map(str, arguments)])
        code = _run()
    return Outcome(code, out.getvalue(), err.getvalue())


@pytest.fixture(scope="session")
def anomalo() -> Call:
    return call


@pytest.fixture(scope="session")
def installed() -> Registry:
    return Registry.load()


SMALL = {
    "blend": {"folds": 2, "trees": 4, "landmarks": 100},
    "denoising": {"hidden": (16, 16), "members": 2, "augmented_rows": 32},
    "iforest": {"trees": 10},
    **{name: {"samples": 4} for name in ("variational", "miwae", "notmiwae")},
    **{name: {"width": 32, "hidden": 32, "steps": 4} for name in ("ddpm", "edm")},
    **{name: {"hidden": 32} for name in ("gan", "wgan", "cgan")},
    "boltzmann": {"gibbs": 5, "chains": 10},
    "rbm": {"gibbs": 5, "chains": 10, "hidden": 16},
    "dbm": {"gibbs": 5, "chains": 10, "hidden": (16, 8)},
    "dbn": {"gibbs": 5, "chains": 10, "hidden": (16, 8), "samples": 4},
}
"""Defaults of models, also where they are parts of others."""


@pytest.fixture
def few_parts(installed: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models with few trees, rounds and units, for tests of what holds however little a model has learned."""
    for name, defaults in SMALL.items():
        for parameter, value in defaults.items():
            monkeypatch.setitem(installed.get(name).__init__.__kwdefaults__, parameter, value)


@pytest.fixture
def frugal(few_parts: None, installed: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same, inference in small chunks, so that a table of some rows takes several, and plugins looked for once."""
    monkeypatch.setattr("anomalo_autoencoders.variational.variational_autoencoder.Variational.chunk", 64)
    monkeypatch.setattr("anomalo.neural.NeuralModel.chunk", 64)
    monkeypatch.setattr(Registry, "load", lambda: installed)


@pytest.fixture
def brief(few_parts: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models of few parts, trained for one epoch."""
    monkeypatch.setattr("anomalo.nn.trainer.EarlyStop.should_stop", lambda *_: True)


@pytest.fixture(scope="session")
def patients() -> pd.DataFrame:
    """240 patients: three numbers, two categories, an id and a label, with missing values and two anomalous rows."""
    rng = np.random.default_rng(0)
    height = rng.normal(170, 10, ROWS).round(1)
    frame = pd.DataFrame(
        {
            "name": [f"p{row:03}" for row in range(ROWS)],
            "height": height,
            "weight": (0.5 * height - 15 + rng.normal(0, 3, ROWS)).round(2),
            "children": rng.poisson(1.5, ROWS),
            "colour": rng.choice(["red", "green", "blue"], ROWS, p=[0.6, 0.3, 0.1]),
            "smoker": rng.choice(["yes", "no"], ROWS),
            "sick": "no",
        }
    )
    frame.loc[[17, 101], "weight"] = [190.25, 9.75]
    frame.loc[[17, 101], "sick"] = "yes"
    frame.loc[[3, 50, 51], "weight"] = np.nan
    frame.loc[[4, 50], "colour"] = None
    return frame


@pytest.fixture(scope="session")
def tables(patients: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the table as patients.csv and patients.parquet."""
    folder = tmp_path_factory.mktemp("tables")
    patients.to_csv(folder / "patients.csv", index=False)
    patients.to_parquet(folder / "patients.parquet", index=False)
    return folder


@pytest.fixture(scope="session")
def workspace(untouched: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the untouched workspace, that tests may add to."""
    return shutil.copytree(untouched, tmp_path_factory.mktemp("shared") / "workspace")


@pytest.fixture(scope="session")
def untouched(tables: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with models: `full` scores, explains and imputes, `near` only scores, `fill` only imputes."""
    folder = tmp_path_factory.mktemp("workspace")
    common = ("--id", "name", "--label", "sick", "--workspace", folder, "--device", "cpu")
    for name, model, setting in (("full", "linear", "epochs=3"), ("near", "knn", "neighbours=3"), ("fill", "mean", "")):
        settings = ("--set", setting) if setting else ()
        outcome = call("fit", tables / "patients.csv", "--as", name, "--model", model, *settings, *common)
        assert outcome.code == 0, outcome.err
    return folder


@pytest.fixture(scope="session")
def made() -> ModuleType:
    """The module `hostile.py`: texts that try to be more, and a table of them."""
    spec = importlib.util.spec_from_file_location("hostile", Path(__file__).with_name("hostile.py"))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def hostile_home(made: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace with a run of each verb on a hostile table."""
    return Path(made.workspace(call, tmp_path_factory.mktemp("hostile")))


@pytest.fixture(scope="session")
def calls() -> Callable[[Callable[[], object]], int]:
    """A measure of work that no machine's speed nor load changes: how many functions are called."""

    def count(work: Callable[[], object]) -> int:
        number = 0

        def see(frame: object, event: str, argument: object) -> None:
            nonlocal number
            number += event in ("call", "c_call")

        before = sys.getprofile()
        sys.setprofile(see)
        try:
            work()
        finally:
            sys.setprofile(before)
        return number

    return count


@pytest.fixture
def permissions_apply() -> Iterator[None]:
    """Let root write only where permissions allow it; root stays root, and can read code that others may not."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("permissions mean nothing to root")
    libc = ctypes.CDLL(None, use_errno=True)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)  # version 3, this thread
    before = (ctypes.c_uint32 * 6)()  # effective, permitted, inheritable; twice 32 bits of each
    assert libc.capget(header, before) == 0
    inside = type(before)(*before)
    inside[0] &= ~(1 << 1)  # CAP_DAC_OVERRIDE
    assert libc.capset(header, inside) == 0
    yield
    assert libc.capset(header, before) == 0
