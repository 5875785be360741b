"""The benchmark of whole processes: its tables, what it measures, ratios by hand, the peers, and resuming."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import kurtosis, skew
from sklearn.ensemble import IsolationForest

from tests.benchmarks.loading import BENCHMARKS, load

scale, processes, scale_peers, score_speed = load("scale"), load("processes"), load("scale_peers"), load("score_speed")


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["scale.py", *map(str, arguments)])
    scale.main()


def test_a_table_is_what_it_is_said_to_be() -> None:
    table = scale.table(4000, 16, 0)
    numbers, categories = table.select_dtypes("number"), table.select_dtypes(exclude="number")
    assert (numbers.shape[1], categories.shape[1]) == (12, 4)
    assert categories.nunique().tolist() == [8] * 4
    assert table.isna().to_numpy().mean() == pytest.approx(0.03, abs=0.002)
    kinds = numbers.apply(lambda column: (kurtosis(column.dropna()), skew(column.dropna())))
    assert kinds.loc[0, "n0"] > 20 > kinds.loc[0, "n2"]
    assert kinds.loc[1, "n1"] > 2 > abs(kinds.loc[1, "n2"])
    pd.testing.assert_frame_equal(table, scale.table(4000, 16, 0))
    assert not table.equals(scale.table(4000, 16, 1))
    assert scale.table(20, 8, 0).shape == (20, 8)


def test_one_row_in_a_hundred_has_the_cells_of_other_rows() -> None:
    clean, table = score_speed.table(1000, 12, 4), scale.table(1000, 16, 0)
    untouched = [name for name in table if name not in ("n0", "n1")]
    before, after = clean[untouched].astype(object), table[untouched].astype(object)
    changed = ~((before == after) | (before.isna() & after.isna()))
    assert changed.any(axis=1).sum() == 10
    assert (changed[changed.any(axis=1)].mean(axis=1) > 0.5).all()
    assert all(set(table[name].dropna()) <= set(clean[name].dropna()) for name in untouched)


def test_the_first_listed_row_of_a_scan_is_found(frugal: None, anomalo: Callable[..., Any], tmp_path: Path) -> None:
    scale.table(500, 8, 0).to_csv(tmp_path / "table.csv", index=False)
    done = anomalo("scan", tmp_path / "table.csv", "--model", "knn", "--workspace", tmp_path / "w")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    listed = [number for number, line in enumerate(lines) if processes.LISTED.match(line)]
    heading = next(number for number, line in enumerate(lines) if line.split()[:2] == ["row", "score"])
    assert lines[0].startswith("500 rows")
    assert heading < listed[0] <= heading + 2
    assert len(listed) == 5


def test_a_process_is_measured() -> None:
    script = "print('500 rows, 5 alerts'); print('  17  2.5 yes', flush=True); sum(range(10**6))"
    found = processes.measured([sys.executable, "-S", "-c", script], 600)
    assert found.status == "ok"
    assert 0 < found.alert_s <= found.wall_s
    assert 0 < found.cpu_s < 60
    assert 1 < found.peak_mib < 10_000  # a fork of these tests, which may be large
    if Path("/proc/self/stat").exists():
        assert 0 <= found.alert_cpu_s <= found.cpu_s + 0.02  # counted in ticks


def test_a_process_that_fails_is_a_status() -> None:
    script = "import sys; print('500 rows'); sys.exit('first\\nno such table')"
    found = processes.measured([sys.executable, "-S", "-c", script], 600)
    assert found.status == "exit 1: no such table"
    assert np.isnan(found.alert_s)


def test_a_process_that_takes_too_long_is_ended() -> None:
    found = processes.measured([sys.executable, "-S", "-c", "import time; time.sleep(1000)"], 0.2)
    assert found.status == "longer than 0.2 s"


@pytest.mark.slow
def test_the_memory_of_this_process_does_not_count(tmp_path: Path) -> None:
    held = bytearray(b"x" * 300_000_000)
    found = processes.launch([sys.executable, "-c", "pass"], 600, tmp_path, {})
    assert found.peak_mib < 150 < len(held)


def test_medians_and_ratios_by_hand() -> None:
    cells = [
        ("10x4", "anomalo scan", 0, 4.0, 8.0, 300.0, 3.0, 2.0, "ok"),
        ("10x4", "anomalo scan", 1, 6.0, 2.0, 500.0, 3.0, 1.0, "ok"),
        ("10x4", "anomalo scan", 2, 5.0, 4.0, 400.0, 1.0, 3.0, "ok"),
        ("10x4", "IsolationForest", 0, 2.0, 1.0, 100.0, 1.0, 0.5, "ok"),
        ("10x4", "MissForest", 0, 9.0, 9.0, 50.0, np.nan, np.nan, "longer than 9 s"),
        ("20x4", "anomalo scan", 0, 4.0, 8.0, 300.0, 3.0, 2.0, "ok"),
    ]
    columns = ["size", "method", "turn", *scale.FIGURES, "status"]
    results = pd.DataFrame(cells, columns=columns).assign(seed=0)
    lines = scale.medians(results)
    line = lines.loc[("10x4", "anomalo scan")]
    assert line[list(scale.FIGURES)].tolist() == [5, 4, 400, 3, 2]
    assert line[["alert_s share", "alert_cpu_s share"]].tolist() == [0.6, 0.5]
    assert line[["wall_s ratio", "cpu_s ratio", "peak_mib ratio"]].tolist() == [2.5, 4, 4]
    assert line[["turns", "problems"]].tolist() == [3, 0]
    assert lines.loc[("10x4", "MissForest"), ["turns", "problems"]].tolist() == [0, 1]
    assert np.isnan(lines.loc[("20x4", "anomalo scan"), "wall_s ratio"])
    text = "\n".join(scale.report_lines(results))
    assert "| 10x4  | anomalo scan    | 3    | 5.00   | 4.00  | 400      | 3.00 (60%)           | 2.00 (50%) " in text
    without = scale.medians(results[results["method"] == "anomalo scan"])
    assert without["wall_s ratio"].isna().all()


def test_a_run_is_resumed_and_what_failed_is_not_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []

    def launch(command: list[str], limit: float, folder: Path, environment: dict[str, str]) -> Any:
        assert len(pd.read_csv(folder / "table.csv")) == 30
        assert environment["OMP_NUM_THREADS"] == "1"
        commands.append(command)
        return processes.Measured(1.0, 2.0, 3.0, status="exit 1: no" if "MissForest" in command else "ok")

    monkeypatch.setattr(scale, "launch", launch)
    out = tmp_path / "out.csv"
    arguments = ("--out", out, "--sizes", "30x4,30x8", "--repeat", 2, "--peers", "IsolationForest,MissForest")
    run(monkeypatch, *arguments, "--verbs", "scan,score")
    whole = out.read_text()
    verbs = [command[3] if command[1] == "-m" else command[2] for command in commands]
    expected = ["scan", "fit", "score", "IsolationForest", "MissForest", "scan", "score", "IsolationForest"]
    assert verbs == expected * 2
    scans = [command[command.index("--workspace") + 1] for command in commands if "scan" in command]
    assert scans[0] != scans[1]  # each starts from an empty workspace
    lines = whole.splitlines(keepends=True)
    out.write_text("".join(lines[:-1]) + lines[-1][:9])  # a kill in the middle of a line
    commands.clear()
    run(monkeypatch, *arguments, "--verbs", "scan,score")
    assert len(commands) == 1
    assert out.read_text() == whole


def test_another_environment_does_not_get_this_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, str | None, str]] = []

    def launch(command: list[str], limit: float, folder: Path, environment: dict[str, str]) -> Any:
        seen.append((command[0], environment.get("PYTHONPATH"), command[command.index("--workspace") + 1]))
        return processes.Measured(1.0, 2.0, 3.0)

    other = tmp_path / "python"
    other.touch()
    monkeypatch.setenv("PYTHONPATH", "here")
    monkeypatch.setattr(scale, "launch", launch)
    arguments = ("--sizes", "30x4", "--repeat", 1, "--peers", "", "--verbs", "fit", "--model", "knn")
    run(monkeypatch, "--out", tmp_path / "out.csv", *arguments, "--before", other)
    assert seen == [(sys.executable, "here", "workspace-0"), (str(other), None, "workspace-1")]
    assert pd.read_csv(tmp_path / "out.csv")["method"].tolist() == [
        "anomalo fit --model knn",
        "before: fit --model knn",
    ]


@pytest.mark.slow
def test_processes_end_to_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, summary = tmp_path / "out.csv", tmp_path / "s.md"
    arguments = ("--out", out, "--sizes", "60x8", "--repeat", 1, "--model", "knn", "--summary", summary)
    run(monkeypatch, *arguments, "--verbs", "scan,score")
    found = pd.read_csv(out).set_index("method")
    assert found["status"].tolist() == ["ok"] * 3
    assert (found[["wall_s", "cpu_s", "peak_mib"]] > 0).all(axis=None)
    assert found.index.tolist() == ["anomalo scan --model knn", "anomalo score --model knn", "IsolationForest"]
    assert (found["alert_s"] <= found["wall_s"]).all()
    assert "| 60x8  | IsolationForest " in summary.read_text()


def test_the_peers_jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "table.csv"
    scale.table(60, 8, 0).to_csv(path, index=False)
    table = pd.read_csv(path)
    rows = scale_peers.encoded(table)
    assert not rows.isna().to_numpy().any()
    numbers = rows[[name for name in rows if name.startswith("n")]]
    assert numbers.mean().to_numpy() == pytest.approx(0, abs=1e-12)
    observed = table["n2"].dropna()
    assert rows.loc[observed.index, "n2"].to_numpy() == pytest.approx(
        (observed - observed.mean()) / observed.std(ddof=0)
    )
    expected = -IsolationForest(random_state=0).fit(rows.to_numpy()).score_samples(rows.to_numpy())
    monkeypatch.syspath_prepend(str(BENCHMARKS))  # as where it is run as a script
    monkeypatch.setattr(sys, "argv", ["scale_peers.py", "IsolationForest", str(path)])
    scale_peers.main()
    printed = capsys.readouterr().out.splitlines()
    assert [int(line.split()[0]) for line in printed] == np.argsort(-expected, kind="stable")[:10].tolist()
    assert all(processes.LISTED.match(line) for line in printed)
    monkeypatch.setattr(sys, "argv", ["scale_peers.py", "MissForest", str(path), "1"])
    scale_peers.main()
    imputed = pd.read_csv(tmp_path / "imputed.csv")
    assert not imputed.isna().to_numpy().any()
    assert imputed.where(table.notna()).equals(table)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--sizes", "1000"), "--sizes 1000: expected ROWSxCOLUMNS"),
        (("--sizes", "9x16"), "--sizes 9x16: expected ROWSxCOLUMNS"),
        (("--verbs", "repair"), "--verbs repair: expected some of scan, fit, score, impute"),
        (("--peers", "LOF"), "--peers LOF: expected some of IsolationForest, KNN"),
        (("--before", "nowhere"), "expected another environment's interpreter"),
    ],
)
def test_a_wrong_option_ends_the_program(
    arguments: tuple[str, ...], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    with pytest.raises(SystemExit):
        run(monkeypatch, "--out", tmp_path / "out.csv", *arguments)
    assert message in capsys.readouterr().err


def test_without_pyod_its_detectors_are_left_out_with_a_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(scale, "find_spec", lambda name: None)
    monkeypatch.setattr(sys, "argv", ["scale.py", "--out", "out.csv", "--verbs", "scan", "--peers"])
    assert list(scale.methods(scale._parse())) == ["anomalo scan", "IsolationForest", "MissForest"]
    assert "PyOD AutoEncoder: left out, PyOD is not installed" in capsys.readouterr().out
