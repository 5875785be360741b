"""A plugin that fails in any call is named, nothing half-written is left, and a healthy plugin's results are equal."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from anomalo.cli.app import take_signals
from anomalo.models.guard import INTERRUPTION, Origin
from anomalo.registry.registry import Registry

HERE = Path(__file__).parent
FAULTY, HEALTHY = HERE / "faulty_plugins", HERE / "broken_plugins"
LOAD = Registry.load

FIT = {
    "fit_raises": ("fit", "ValueError: no luck (faulty.py:{raise ValueError})"),
    "fit_exits": ("fit", "SystemExit: 0 (faulty.py:{sys.exit})"),
    "fit_none": ("fit", "it returned None; fit must return self (faulty.py:{def returns_none})"),
    "fit_signature": ("fit", "TypeError: wrong_signature() takes 2 positional arguments but 3 were given"),
    "score_none": ("score", "score is None, expected an array of float64 (faulty.py:{score_none})"),
    "score_list": ("score", "score is a list, expected an array of float64"),
    "score_shape": ("score", "score has shape (48, 1), expected (48,)"),
    "score_text": ("score", "score is an array of <U1, expected an array of float64"),
    "score_nan": ("score", "score has 1 values that are not finite, the first at [[3]] (faulty.py:{def nan})"),
    "score_writes": ("score", "ValueError: assignment destination is read-only (faulty.py:{data.values[:] = 0})"),
    "score_signature": ("score", "TypeError: "),
    "impute_none": ("impute", "impute's result is None, expected Filled"),
    "impute_overwrites": ("impute", "impute changed an observed cell; it must fill missing ones only"),
    "state_none": ("state", "state's result is None, expected ModelState"),
    "notes_number": ("notes_", "notes_ is a int, expected a list of texts"),
}
USE = {
    "explain_none": ("score", "explain", "explain's result is None, expected Cells"),
    "explain_shape": ("score", "explain", "contribution has shape (240,), expected (240, 5)"),
    "embed_shape": ("embed", "embed", "codes has shape (239, 5), expected (240, any)"),
    "sample_none": ("augment", "sample", "sample's result is None, expected Encoded"),
    "restore_none": ("score", "restore", "it returned None; restore must return self"),
    "restore_raises": ("score", "restore", "ZeroDivisionError: division by zero (faulty.py:{restore_raises})"),
}
"""By the model: the verb and the method that fails, and what the message says; braces hold the text of a line."""
QUICK = {"fit_raises", "fit_exits", "score_nan", "score_writes", "impute_overwrites", "state_none", "explain_shape"}


def some_at_once(faults: Iterable[str]) -> list[Any]:
    """Return the faults as parameters; most of them are left to `make test-all`."""
    return [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in faults]


def lay_out(site: Path, source: Path, *, distribution: str = "", requires: str = "") -> None:
    """Install a plugin as pip would: a module, and a .dist-info beside it that names the entry point."""
    name, distribution = source.stem, distribution or f"anomalo-{source.stem}"
    (site / source.name).write_text(source.read_text())
    info = site / f"{distribution.replace('-', '_')}-1.5.dist-info"
    info.mkdir()
    needed = f"Requires-Dist: {requires}\n" if requires else ""
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.5\n{needed}")
    (info / "entry_points.txt").write_text(f"[anomalo]\n{name} = {name}\n")


@contextmanager
def installed(folder: Path) -> Iterator[Path]:
    """A folder with the healthy plugin; what is imported from it is forgotten afterwards."""
    site = folder / "site"
    site.mkdir()
    lay_out(site, HEALTHY / "steady.py")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site))
        patch.setattr(Registry, "load", lambda **options: LOAD(**options, entry_points=entries(site)))
        yield site
    for plugin in (*FAULTY.glob("*.py"), *HEALTHY.glob("*.py")):
        sys.modules.pop(plugin.stem, None)


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Path]:
    with installed(tmp_path) as site:
        yield site


@pytest.fixture(scope="module")
def alone(anomalo: Any, tables: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What the healthy plugin gives where no other is installed but anomalo's own."""
    folder = tmp_path_factory.mktemp("alone")
    with installed(folder):
        return Session(anomalo, tables, folder).steady()


def entries(site: Path) -> list[importlib.metadata.EntryPoint]:
    """First-party plugins, and those of the folder."""
    folders = [importlib.metadata.distributions(path=[str(site)])]
    own = importlib.metadata.distribution("anomalo-engine")
    found = [*own.entry_points, *(entry for one in folders for each in one for entry in each.entry_points)]
    return [entry for entry in found if entry.group == "anomalo"]


class Session:
    """The command line on one table, in one workspace."""

    def __init__(self, anomalo: Any, tables: Path, folder: Path) -> None:
        self.call, self.source, self.folder = anomalo, tables / "patients.csv", folder
        self.workspace = folder / "workspace"

    def run(self, verb: str, *arguments: object) -> Any:
        return self.call(verb, *arguments, "--workspace", self.workspace)

    def fit(self, model: str, *options: object, name: str = "m") -> Any:
        common = ("--as", name, "--id", "name", "--label", "sick", "--device", "cpu")
        return self.run("fit", self.source, "--model", model, *common, *options)

    def steady(self) -> bytes:
        """What the healthy plugin gives, to the bit."""
        assert self.fit("steady", name="healthy").code == 0
        out = self.folder / "healthy.parquet"
        outcome = self.run("score", self.source, "--with", "healthy", "-o", out, "--device", "cpu")
        assert outcome.code == 0, outcome.err
        table = pq.read_table(out)
        return b"".join(table.column(name).to_numpy().tobytes() for name in ("score", "p_value"))

    def saved(self) -> list[str]:
        folder = self.workspace / "models"
        return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


@pytest.fixture
def session(anomalo: Any, tables: Path, tmp_path: Path) -> Session:
    return Session(anomalo, tables, tmp_path)


def line_of(source: Path, text: str) -> int:
    """Return the number of the first line that has a text."""
    return next(number for number, line in enumerate(source.read_text().splitlines(), 1) if text in line)


def placed(text: str, source: Path = FAULTY / "faulty.py") -> str:
    """Put line numbers for the braces."""
    start, brace, rest = text.partition("{")
    if not brace:
        return text
    marked, _, end = rest.partition("}")
    marked = f'"{marked}"' if marked.endswith(("_none", "_raises")) and not marked.startswith("def") else marked
    return f"{start}{line_of(source, marked)}{end}"


def require_named(outcome: Any, model: str, method: str, cause: str) -> None:
    """One line that names model, plugin, distribution and version, method, cause, line, and what to do."""
    assert outcome.code == 1, outcome.err
    (line,) = outcome.err.splitlines()
    assert line.startswith(f"error: model {model!r} of plugin 'faulty' (anomalo-faulty 1.5) failed in ")
    assert f" failed in {method}: " in line
    assert placed(cause) in line
    assert line.endswith("; switch it off with ANOMALO_DISABLE_PLUGINS=faulty")
    assert "faulty.py:" in line or method == "notes_"
    assert "bug in anomalo" not in line
    assert outcome.out == ""


def test_healthy_plugins_are_not_affected(session: Session, site: Path, alone: bytes) -> None:
    for source in FAULTY.glob("*.py"):
        if source.stem not in ("conftest", "late"):
            lay_out(site, source, requires="anomalo-engine>=99" if source.stem == "outdated" else "")
    assert session.steady() == alone


@pytest.mark.parametrize("model", some_at_once(FIT))
def test_a_fault_in_a_fit(session: Session, site: Path, alone: bytes, model: str) -> None:
    lay_out(site, FAULTY / "faulty.py")
    require_named(session.fit(model), model, *FIT[model])
    assert session.saved() == []
    assert session.steady() == alone


@pytest.mark.parametrize("model", some_at_once(USE))
def test_a_fault_in_the_use_of_a_saved_model(session: Session, site: Path, alone: bytes, model: str) -> None:
    lay_out(site, FAULTY / "faulty.py")
    verb, method, cause = USE[model]
    assert session.fit(model, "--for", "score").code == 0
    runs = session.run("runs").out
    out = session.folder / "out.csv"
    given = ("-n", 5) if verb == "augment" else (session.source, "--device", "cpu")
    if verb in ("augment", "embed"):
        assert session.fit(model).code == 0
    require_named(session.run(verb, *given, "--with", "m", "-o", out), model, method, cause)
    assert not out.exists()
    assert session.run("runs").out == runs
    assert session.steady() == alone


def test_scores_of_another_type_are_converted(session: Session, site: Path) -> None:
    lay_out(site, FAULTY / "faulty.py")
    assert session.fit("score_float32").code == 0
    assert session.run("score", session.source, "--with", "m", "-o", session.folder / "s.parquet").code == 0
    assert pq.read_table(session.folder / "s.parquet").column("score").to_numpy().dtype == np.float64


def test_a_fault_of_a_member_is_named_not_that_of_auto(session: Session, site: Path) -> None:
    lay_out(site, FAULTY / "faulty.py")
    options = ("--for", "score", "--set", "assume=clean", "--set")
    for model in ("score_nan", "fit_none", "score_none"):
        outcome = session.fit("auto", *options, f"members=knn,{model}")
        require_named(outcome, model, *FIT[model][:1], FIT[model][1].partition(" (")[0])
    assert session.saved() == []
    assert session.fit("auto", *options, "members=knn,plain").code == 0


def test_a_keyboard_interrupt_of_a_plugin_is_its_failure_and_one_of_the_user_is_not(
    session: Session, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_out(site, FAULTY / "faulty.py")
    assert session.fit("fit_interrupts").code == 5  # without our handlers it counts as the user's
    for name in ("handled", "asked"):
        monkeypatch.setattr(INTERRUPTION, name, False)
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        take_signals()
        require_named(session.fit("fit_interrupts"), "fit_interrupts", "fit", "KeyboardInterrupt (faulty.py:")
        stopped = session.fit("fit_swallows")
        assert (stopped.code, stopped.err[:19]) == (5, "error: interrupted;")
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@pytest.mark.parametrize("log_json", [False, True])
def test_a_handler_that_raises_is_left_out(session: Session, site: Path, log_json: bool) -> None:
    options = ("--set", "epochs=3", "--log-csv", session.folder / "logs")
    assert session.fit("linear", *options).code == 0
    arrays = {path.name: path.read_bytes() for path in session.workspace.rglob("model.safetensors")}
    lay_out(site, FAULTY / "handlers.py")
    outcome = session.fit("linear", *options, *(["--log-json"] if log_json else []))
    assert outcome.code == 0, outcome.err
    causes = (
        "SystemExit: 0 (handlers.py:34)",
        "RuntimeError: no chart today",
        "OSError: the disk is full, an argument",
    )
    lines = outcome.err.splitlines()
    if log_json:
        found = [json.loads(line) for line in lines]
        warnings = [entry["message"] for entry in found if entry["level"] == "warning"]
    else:
        assert all(line.startswith("warning: ") for line in lines)
        warnings = lines
    named = "plugin 'handlers' (anomalo-handlers 1.5) failed in anomalo_training: "
    failures = [line for line in warnings if named in line]
    assert len(failures) == 3  # once each, for six trainings
    for cause in causes:
        assert any(cause in line for line in failures), cause
    # Each is called once in a training.
    counts = {name: sys.modules["handlers"].called.count(name) for name in ("on", "added", "object")}
    assert counts == {"on": 6 * 1, "added": 6, "object": 6}
    new = [path for path in session.workspace.rglob("model.safetensors") if "2" in path.parent.name]
    assert {path.name: path.read_bytes() for path in new} == arrays


def test_a_debugged_failure_has_its_traceback(session: Session, site: Path) -> None:
    lay_out(site, FAULTY / "handlers.py")
    outcome = session.fit("linear", "--set", "epochs=1", "--debug")
    assert 'raise RuntimeError("no chart today")' in outcome.err
    lay_out(site, HEALTHY / "exits.py")
    assert 'sys.exit("no licence found")' in session.call("plugins", "--debug").err
    assert "Traceback" not in session.call("plugins").err


def test_first_party_models_keep_their_names(session: Session, site: Path) -> None:
    def scores(reference: str) -> bytes:
        out = session.folder / "scores.parquet"
        outcome = session.run("score", session.source, "--with", reference, "-o", out)
        assert outcome.code == 0, outcome.err
        return pq.read_table(out).column("score").to_numpy().tobytes()

    assert session.fit("knn").code == 0
    before = scores("m@1")
    lay_out(site, FAULTY / "taker.py")
    assert scores("m@1") == before
    assert session.fit("knn").code == 0
    assert scores("m@2") == before
    assert session.fit("taker:knn", "--set", "depth=3").code == 0
    assert np.frombuffer(scores("m@3"))[0] == 3.0
    taken = json.loads(session.run("models", "--json").out)
    assert [(kind["name"], kind["plugin"]) for kind in taken if "taker" in kind["plugin"]] == [
        ("taker:auto", "taker"),
        ("taker:knn", "taker"),
    ]
    (listed,) = (p for p in session.call("plugins", "--json").json["plugins"] if p["name"] == "taker")
    assert listed["status"] == "failed"
    assert (
        "the model 'knn' is claimed by the plugins 'baselines' and 'taker'; 'baselines' keeps it; use 'taker:knn', "
        "or disable one of them with ANOMALO_DISABLE_PLUGINS" in listed["reason"]
    )
    assert "the encoder for modality 'table' is claimed by the plugins 'tables' and 'taker'" in listed["reason"]


def test_a_part_of_a_model_is_restored_by_its_plugin(session: Session, site: Path) -> None:
    lay_out(site, FAULTY / "taker.py")
    options = ("--for", "score", "--set", "assume=clean", "--set", "members=knn,taker:knn")
    outcome = session.fit("auto", *options)
    assert outcome.code == 0, outcome.err
    (manifest,) = session.workspace.glob("models/m/*/manifest.json")
    assert json.loads(manifest.read_text())["plugins"] == {
        "auto": {"plugin": "auto", "distribution": "anomalo-engine", "version": "0.1.0"},
        "knn": {"plugin": "baselines", "distribution": "anomalo-engine", "version": "0.1.0"},
        "taker:knn": {"plugin": "taker", "distribution": "anomalo-taker", "version": "1.5"},
    }
    assert session.run("score", session.source, "--with", "m").code == 0


def test_a_plugin_of_the_name_of_a_first_party_one_does_not_disable_saved_models(session: Session, site: Path) -> None:
    assert session.fit("knn").code == 0
    source = site / "baselines.py"
    source.write_text((FAULTY / "taker.py").read_text())
    lay_out(site, source, distribution="another")
    assert session.run("score", session.source, "--with", "m").code == 0
    names = [p["name"] for p in session.call("plugins", "--json").json["plugins"]]
    assert "baselines" in names
    assert "baselines (another)" in names
    sys.modules.pop("baselines", None)


def test_declarations_that_are_no_json_values_are_refused(session: Session, site: Path) -> None:
    lay_out(site, FAULTY / "defaults.py")
    outcome = session.run("models", "--json")
    assert outcome.code == 0
    assert [kind["name"] for kind in outcome.json if kind["plugin"] == "defaults"] == ["fine"]
    for name in ("scalar", "function", "infinite", "floats", "bound", "choice", "helpless"):
        assert f"model {name!r}: parameter 'width' is declared with" in outcome.err
    assert outcome.err.count("expected bool, int, float, str or a tuple of int") == 7


def test_a_plugin_that_requires_another_version_is_not_imported(session: Session, site: Path) -> None:
    lay_out(site, FAULTY / "outdated.py", requires="anomalo-engine>=99")
    for options in ((), ("--no-import",)):
        (listed,) = (p for p in session.call("plugins", "--json", *options).json["plugins"] if p["name"] == "outdated")
        assert listed["status"] == "failed"
        assert listed["reason"] == (
            "it requires anomalo-engine>=99, but this is version 0.1.0; install versions that fit each other"
        )
    assert "outdated" not in sys.modules


def test_scoring_imports_only_the_plugins_that_the_model_names(
    session: Session, site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert session.fit("steady").code == 0
    lay_out(site, FAULTY / "late.py")
    out = session.folder / "out.csv"
    monkeypatch.setenv("LATE_OUTPUT", str(out))
    for plugin in ("steady", "late"):
        sys.modules.pop(plugin, None)
    outcome = session.run("score", session.source, "--with", "m", "-o", out)
    assert outcome.code == 0, outcome.err
    # It is imported when the scores are safe, to be notified of them.
    assert (session.folder / "notes.txt").read_text().splitlines()[0] == "imported True"
    assert len((session.folder / "notes.txt").read_text().splitlines()) == 2
    # Nothing else is asked of it.
    registry = Registry.load()
    sys.modules.pop("late")
    assert registry.create_again(Origin("steady", "anomalo-steady", "1.5"), "table", "steady", {}) is not None
    assert [batch.num_rows for batch in registry.read(str(session.source))] == [240]
    assert registry.encoder("table").modality == "table"
    assert "late" not in sys.modules


@pytest.mark.slow
def test_in_a_process_of_its_own(site: Path, tables: Path, tmp_path: Path) -> None:
    """The command itself: an exit code, one line, nothing saved."""
    lay_out(site, FAULTY / "faulty.py")
    command = [sys.executable, "-m", "anomalo", "fit", str(tables / "patients.csv"), "--as", "m", "--model"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")])}
    for model in ("fit_exits", "fit_interrupts"):
        done = subprocess.run(
            [*command, model], env=environment, capture_output=True, text=True, cwd=tmp_path, check=False
        )
        assert done.returncode == 1
        assert f"error: model {model!r} of plugin 'faulty' (anomalo-faulty 1.5) failed in fit: " in done.stderr
