"""The dashboard reads no more of a table than it must, and refuses those that unpack to more than was allowed."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.errors import UsageError
from anomalo.jobs.context import JobContext
from anomalo.jobs.describing import preview as previewing
from anomalo.tabular.schema import SchemaOptions
from anomalo_dashboard.security import bounds

APP = Path(anomalo_dashboard.__file__).with_name("app.py")


@pytest.fixture
def bomb(tmp_path: Path) -> Path:
    """A small file that unpacks to 300 MB."""
    path = tmp_path / "workspace" / "bomb.csv.gz"
    path.parent.mkdir()
    with gzip.open(path, "wb") as file:
        file.write(b"a,b\n")
        for _ in range(300):
            file.write(b"1,2\n" * 250_000)
    assert path.stat().st_size < 1_000_000
    return path


@pytest.mark.parametrize(
    ("text", "expected"), [("2GB", 2 * 10**9), ("500 mb", 5 * 10**8), ("7", 7), ("7b", 7), ("1Kb", 1000)]
)
def test_sizes(text: str, expected: int) -> None:
    assert bounds.size(text) == expected


@pytest.mark.parametrize("text", ["", "GB", "-1GB", "1.5GB", "1PB", "0", "1 G", "²B"])
def test_no_sizes(text: str) -> None:
    with pytest.raises(UsageError, match="expected a whole number of B, KB, MB, GB or TB, such as 2GB"):
        bounds.size(text)


@pytest.mark.parametrize("most", ["1MB", "2GB"])
def test_a_bomb_is_refused_by_size_and_by_ratio(bomb: Path, most: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(bounds.MOST, str(bounds.size(most)))
    with pytest.raises(UsageError, match="once it is unpacked: give a smaller table"):
        bounds.check_unpacked(bomb)


def test_usual_files_are_not_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(bounds.MOST, "20000")
    (tmp_path / "a.csv").write_text("a,b\n" + "1,2\n" * 20_000)
    bounds.check_unpacked(tmp_path / "a.csv")
    with gzip.open(tmp_path / "a.csv.gz", "wb") as file:
        file.write(b"a,b\n" + b"1,2\n" * 4_000)
    bounds.check_unpacked(tmp_path / "a.csv.gz")
    (tmp_path / "cut.csv.gz").write_bytes((tmp_path / "a.csv.gz").read_bytes()[:-20])
    bounds.check_unpacked(tmp_path / "cut.csv.gz")  # the reader says what is wrong


def test_a_parquet_file_of_many_equal_rows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "many.parquet"
    pq.write_table(pa.table({"a": np.zeros(2_000_000)}), path)
    assert path.stat().st_size < 100_000
    bounds.check_unpacked(path)
    monkeypatch.setenv(bounds.MOST, "1000000")
    with pytest.raises(UsageError, match="once it is unpacked"):
        bounds.check_unpacked(path)


@pytest.mark.slow
def test_the_page_refuses_a_bomb_within_little_memory(bomb: Path) -> None:
    code = (
        "import resource, sys; from streamlit.testing.v1 import AppTest\n"
        "app = AppTest.from_file(sys.argv[1], default_timeout=600).run()\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "app.text_input(key='source').set_value(sys.argv[2]).run()\n"
        "print(app.error[0].value)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    environment = {"ANOMALO_WORKSPACE": str(bomb.parent), "PYTHONPATH": ":".join(sys.path), "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code, str(APP), str(bomb)], capture_output=True, text=True, env=environment, check=True
    )
    said, grown = done.stdout.splitlines()
    assert "bomb.csv.gz holds more than 2,000,000,000 bytes" in said
    assert str(bomb.parent) not in said
    assert int(grown) < 100_000, "kilobytes"


def test_a_preview_reads_the_first_rows_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(previewing, "READ_ROWS", 100)
    for name in ("table.csv", "table.parquet"):
        table = pa.table({"a": list(range(250)), "b": ["x"] * 100 + [None] * 150})
        if name.endswith("csv"):
            pa.csv.write_csv(table, tmp_path / name)
        else:
            pq.write_table(table, tmp_path / name)
        found = previewing.preview(JobContext.at(tmp_path / "w"), str(tmp_path / name), SchemaOptions())
        assert (found.rows, found.complete, found.missing, found.head.num_rows) == (100, False, 0, 20)
    monkeypatch.setattr(previewing, "READ_ROWS", 250)
    found = previewing.preview(JobContext.at(tmp_path / "w"), str(tmp_path / name), SchemaOptions())
    assert (found.rows, found.complete, found.missing) == (250, True, 150)


@pytest.mark.slow
def test_a_preview_of_few_rows_is_said_to_be_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    (tmp_path / "long.csv").write_text("a,b\n" + "".join(f"{row},{row % 7}\n" for row in range(12_000)))
    app = AppTest.from_file(APP, default_timeout=600)
    app.query_params["source"] = str(tmp_path / "long.csv")
    app.run()
    assert not app.error
    assert app.caption[0].value.startswith("long.csv: the first 10,000 rows, 2 columns, 0 missing cells")
    assert [line.split()[1] for line in app.code[0].value.splitlines()] == ["fit", "score", "impute"]


def wide(folder: Path, columns: int) -> AppTest:
    """Open a table of 50 rows and many columns."""
    rng = np.random.default_rng(0)
    header = ",".join(f"column_{at}" for at in range(columns))
    rows = [",".join(map(str, rng.normal(size=columns).round(3))) for _ in range(50)]
    (folder / "wide.csv").write_text("\n".join([header, *rows]) + "\n")
    app = AppTest.from_file(APP, default_timeout=600).run()
    return app.text_input(key="source").set_value(str(folder / "wide.csv")).run()


def test_a_table_of_5000_columns_is_refused_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    app = wide(tmp_path, 5000)
    assert app.error[0].value.startswith(
        "wide.csv has 5,000 columns, and a preview shows at most 1,000: use the command"
    )


@pytest.mark.slow
def test_a_table_of_1000_columns_opens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    app = wide(tmp_path, 1000)
    assert not app.error, [error.value for error in app.error]
    assert "1,000 columns" in app.caption[0].value


def test_the_limit_of_uploads_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    app = AppTest.from_file(APP, default_timeout=600).run()
    assert "at most 200 MB" in app.file_uploader[0].label  # Streamlit's default; the command sets another


def test_wrong_options_are_refused_in_one_line(anomalo: Any, tmp_path: Path) -> None:
    for options, said in (
        (("--allow", tmp_path / "absent"), "it is no folder"),
        (("--max-unpacked", "much"), "expected a whole number of B, KB, MB, GB or TB"),
    ):
        outcome = anomalo("dashboard", "--workspace", tmp_path, "--port", 0, *options)
        assert (outcome.code, outcome.err.count("\n")) == (2, 1)
        assert said in outcome.err
