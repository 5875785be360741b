"""Fits of tables that do not fit into the memory that they may take."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from anomalo.calibration.thresholds import Threshold
from anomalo.evaluation.metrics import roc_auc
from anomalo.jobs.context import JobContext
from anomalo.jobs.fitting.fit import FitResult, fit
from anomalo.jobs.scoring.score import score
from anomalo.models.results import PROCESS
from anomalo.pipeline.config import FitConfig
from anomalo.pipeline.saved_model import load_fitted
from anomalo.registry.registry import Registry
from anomalo.tabular.schema import SchemaOptions
from tests.conftest import Call

ROWS = 6_000
LITTLE = int(PROCESS + 2_000_000)
"""Memory for about half of the rows."""
REGISTRY = Registry.load()
OUT_OF_CORE = [
    name for name, (model, *_) in REGISTRY.models.items() if model.out_of_core and "table" in model.modalities
]
SMALL: dict[str, Any] = {"epochs": 2, "timesteps": 10, "gibbs_steps": 1, "trees": 10, "samples": 4}

pytestmark = pytest.mark.usefixtures("frugal")


def table(rows: int = ROWS, seed: int = 0, *, anomalous: int = 0) -> pd.DataFrame:
    """Three numbers that depend on each other but in the last rows, a category, and some missing cells."""
    rng = np.random.default_rng(seed)
    hidden = rng.normal(size=(rows, 1))
    values = hidden + 0.3 * rng.normal(size=(rows, 3))
    if anomalous:
        values[-anomalous:] = rng.normal(size=(anomalous, 3)) * 2
    values[rng.random(values.shape) < 0.03] = np.nan
    frame = pd.DataFrame(values, columns=["a", "b", "c"])
    return frame.assign(level=np.where(hidden[:, 0] > 0, "high", "low"))


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("large") / "table.parquet"
    table().to_parquet(path, row_group_size=500, index=False)
    return path


def fitted(folder: Path, source: Path | str, model: str, memory: int | None = LITTLE, **params: Any) -> FitResult:
    known = {parameter.name for parameter in REGISTRY.get(model, "table").parameters()}
    params = {name: value for name, value in (SMALL | params).items() if name in known}
    config = FitConfig(model, params, device="cpu", max_memory=memory)
    return fit(JobContext.at(folder), str(source), "large", config, SchemaOptions())


@pytest.mark.parametrize(
    "model", ["knn", "covariance", *(pytest.param(name, marks=pytest.mark.slow) for name in ("undercomplete", "auto"))]
)
def test_it_finds_what_a_fit_in_memory_finds(tmp_path: Path, source: Path, model: str, few_parts: None) -> None:
    new = tmp_path / "new.parquet"
    table(1_000, seed=1, anomalous=100).to_parquet(new, index=False)
    truth = np.arange(1_000) >= 900
    memory = LITTLE if model != "auto" else None
    aurocs = []
    for number, limit in enumerate((memory, None)):
        if model == "auto" and number == 0:
            limit = int(REGISTRY.create("auto").plan(_layout(), 10**9, frozenset()).memory + 2_000_000)
        result = fitted(tmp_path / str(number), source, model, limit, epochs=10)
        assert result.whole == (limit is None)
        assert result.record.rows == result.fitted.facts["rows"] == ROWS
        scored = score(
            JobContext.at(tmp_path / str(number)), str(new), "large", threshold=Threshold.parse("share=0.05")
        )
        aurocs.append(roc_auc(truth, scored.score))
        normal = scored.p_value[~truth]
        assert 0.01 < (normal <= 0.05).mean() < 0.1, "p-values of new rows"
    assert abs(aurocs[0] - aurocs[1]) < 0.03
    assert aurocs[0] > 0.85


def _layout() -> Any:
    from anomalo.encoding.layout import Block, Layout

    return Layout("table", (4,), tuple(Block(str(at), "number", at) for at in range(4)))


@pytest.mark.parametrize(
    "model",
    [pytest.param(name, marks=() if name in ("covariance", "linear") else pytest.mark.matrix) for name in OUT_OF_CORE],
)
def test_models_that_read_in_parts_learn_from_all_rows(
    tmp_path: Path, source: Path, model: str, monkeypatch: pytest.MonkeyPatch, few_parts: None
) -> None:
    seen: list[int] = []
    kind = REGISTRY.get(model, "table")
    learn = kind.fit
    monkeypatch.setattr(kind, "fit", lambda self, data, run: (seen.append(len(data)), learn(self, data, run))[1])
    result = fitted(tmp_path, source, model)
    held = len(result.fitted.calibration.hashes)
    assert 300 < held < 1_000
    assert seen == [ROWS - held], "one fit, on all rows but those that calibrate it"
    assert not [text for text in result.warnings if "sample" in text]


def test_other_models_say_that_they_learned_from_a_sample(tmp_path: Path, source: Path) -> None:
    result = fitted(tmp_path, source, "iforest")
    (said,) = [text for text in result.warnings if "random sample" in text]
    assert f"of {ROWS:,} rows, since the table does not fit" in said
    assert load_fitted(result.record.path, REGISTRY).warnings == result.fitted.warnings, "after a reload too"


def test_nothing_is_left_on_disk(tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fitted(tmp_path, source, "linear")
    assert not list((tmp_path / "unfinished").iterdir())
    monkeypatch.setattr(REGISTRY.get("linear"), "fit", lambda self, data, run: 1 / 0)
    with pytest.raises(Exception, match="ZeroDivisionError"):
        fitted(tmp_path, source, "linear")
    assert not list((tmp_path / "unfinished").iterdir())


class Killed(KeyboardInterrupt):
    """What ends a fit."""


def test_a_killed_fit_resumes_to_the_same_weights(tmp_path: Path, source: Path) -> None:
    alone = fitted(tmp_path / "alone", source, "undercomplete", epochs=3)
    config = FitConfig("undercomplete", {"epochs": 3}, device="cpu", max_memory=LITTLE, every=0)

    def kill(share: float, text: str) -> None:
        if share > 0.5:
            raise Killed

    with pytest.raises(Killed):
        fit(JobContext.at(tmp_path / "killed", kill), str(source), "large", config, SchemaOptions())
    left = tmp_path / "killed" / "unfinished" / "fit-large"
    assert list(left.glob("*.safetensors"))
    assert not (left / "rows").exists(), "only what is resumed from stays"
    again = fit(JobContext.at(tmp_path / "killed"), str(source), "large", config, SchemaOptions(), resume=True)
    assert again.fitted.facts["training"]["resumed"] == 1
    expected, found = alone.fitted.model.state().arrays, again.fitted.model.state().arrays
    assert expected.keys() == found.keys()
    assert all(np.array_equal(expected[name], found[name]) for name in expected)


def test_a_text_file_and_its_parquet_file_are_one_table(tmp_path: Path, source: Path) -> None:
    path = tmp_path / "table.csv"
    pd.read_parquet(source).to_csv(path, index=False)
    ours, theirs = (fitted(tmp_path / str(at), each, "linear") for at, each in enumerate((path, source)))
    assert [b.kind for b in ours.fitted.encoder.layout.blocks] == [b.kind for b in theirs.fitted.encoder.layout.blocks]
    assert ours.fitted.facts["rows"] == theirs.fitted.facts["rows"] == ROWS


def test_standard_input_and_scan(anomalo: Call, tmp_path: Path, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with source.open("rb") as file:
        monkeypatch.setattr("sys.stdin", type("Stdin", (), {"buffer": file, "isatty": lambda self: False})())
        outcome = anomalo(
            *("scan", "-", "--model", "iforest", "--max-memory", f"{LITTLE // 1000}K", "--json"),
            *("--workspace", tmp_path),
        )
    assert outcome.code == 0, outcome.err
    assert outcome.json["summary"]["rows"] == ROWS


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ("2X", "--max-memory '2X' is no amount of memory; expected one such as 2G or 512MiB"),
        ("0G", "--max-memory '0G' is no amount of memory"),
        ("100M", "--max-memory 100 MB: a fit of 'auto' takes about"),
        ("550001K", "--max-memory is too little for rows of"),
    ],
)
def test_too_little_memory_is_refused(anomalo: Call, tmp_path: Path, source: Path, size: str, message: str) -> None:
    model = ["--model", "knn"] if size.endswith("K") else []
    outcome = anomalo("fit", source, "--as", "x", "--max-memory", size, *model, "--workspace", tmp_path)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert message in outcome.err
    assert not list(tmp_path.glob("models/*"))


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the unit of the peak differs")
@pytest.mark.parametrize("model", ["knn", "undercomplete", "covariance"])
def test_the_memory_is_kept_to(tmp_path: Path, model: str) -> None:
    path, most = tmp_path / "table.parquet", 700
    pd.concat([table(100_000, seed) for seed in range(12)]).to_parquet(path, index=False)
    quick = ["--set", "epochs=1"] if model == "undercomplete" else []
    command = [sys.executable, "-m", "anomalo", "fit", path, "--model", model, "--as", "m", *quick, "--threads", "1"]
    command += ["--workspace", tmp_path / "workspace"]
    whole, limited = (_peak([*map(str, command), *limit]) for limit in ([], ["--max-memory", f"{most}M"]))
    assert whole > most, "otherwise this test shows nothing"
    assert limited <= most


LAUNCHER = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(used.ru_maxrss)
sys.exit(os.waitstatus_to_exitcode(status))
"""


def _peak(command: list[str]) -> float:
    """The megabytes of a command at its peak; a small process starts it, whose memory counts as a part of the peak."""
    done = subprocess.run([sys.executable, "-S", "-c", LAUNCHER, *command], check=True, stdout=subprocess.PIPE)
    return int(done.stdout) * 1024 / 1e6
