"""Which files the dashboard opens by a path, and how it keeps uploaded ones."""

from __future__ import annotations

import os
import socket
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.errors import UsageError
from anomalo_dashboard import data, sources
from anomalo_dashboard.security import uploads
from anomalo_dashboard.security.files import ALLOWED, openable

APP = Path(anomalo_dashboard.__file__).with_name("app.py")
TABLE = b"a,b\n1,2\n3,4\n"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a workspace, a folder that is allowed, and a file that is not."""
    for folder in ("workspace", "allowed", "private"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "table.csv").write_bytes(TABLE)
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path / "workspace"))
    monkeypatch.setenv(ALLOWED, str(tmp_path / "allowed"))
    return tmp_path


@pytest.mark.parametrize("name", ["workspace/table.csv", "allowed/table.csv", "private/../allowed/table.csv"])
def test_files_of_the_workspace_and_of_allowed_folders_are_opened(name: str, home: Path) -> None:
    assert openable(str(home / name)).read_bytes() == TABLE


def test_the_bundled_table_is_opened() -> None:
    assert sources.chosen(str(sources.BUNDLED)) == sources.BUNDLED


def lay_out(home: Path) -> None:
    """Put into the workspace what leads out of it, and what is no file."""
    workspace = home / "workspace"
    (workspace / "link.csv").symlink_to(home / "private" / "table.csv")
    (workspace / "folder-link").symlink_to(home / "private")
    (workspace / "loop.csv").symlink_to(workspace / "loop.csv")
    (workspace / "device.csv").symlink_to("/dev/zero")
    os.mkfifo(workspace / "fifo.csv")
    with socket.socket(socket.AF_UNIX) as server:
        before = Path.cwd()
        os.chdir(workspace)  # the name of a socket is short
        server.bind("socket.csv")
        os.chdir(before)


REFUSED = (
    "private/table.csv",
    "private/absent.csv",
    "workspace/absent.csv",
    "workspace",
    "workspace/../private/table.csv",
    "workspace/link.csv",
    "workspace/folder-link/table.csv",
    "workspace/loop.csv",
    "workspace/device.csv",
    "workspace/fifo.csv",
    "workspace/socket.csv",
    "allowed-not/table.csv",
    "a" * 5000,
    "nul\0.csv",
)


def test_all_others_get_the_same_answer(home: Path) -> None:
    lay_out(home)
    answers = set()
    for name in (*(str(home / name) for name in REFUSED), "/dev/zero", "/etc/passwd", "/proc/self/environ", "~", ""):
        with pytest.raises(UsageError) as caught:
            openable(name)
        answers.add(str(caught.value).replace(repr(name), "NAME"))
    assert len(answers) == 1


def opened(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=600)
    if page != "start":
        app.run().switch_page(f"views/{page}.py")
    app.query_params.update(query)
    return app.run()


def shown(app: AppTest) -> str:
    return app.error[0].value.rpartition(" (error ")[0]


@pytest.mark.slow
def test_start_does_not_say_what_else_there_is(home: Path) -> None:
    lay_out(home)
    names = ["private/table.csv", "private/absent.csv", "workspace/link.csv", "workspace/fifo.csv", "private"]
    answers = {shown(opened("start", source=str(home / name))).replace(Path(name).name, "NAME") for name in names}
    assert len(answers) == 1, answers
    assert str(home) not in answers.pop()
    allowed = opened("start", source=str(home / "allowed" / "table.csv"))
    assert not allowed.error
    assert "table.csv: 2 rows" in allowed.caption[0].value


@pytest.mark.slow
def test_the_holdout_is_a_file_that_may_be_opened(home: Path, anomalo: Any, tables: Path) -> None:
    source = home / "private" / "patients.csv"
    source.write_bytes((tables / "patients.csv").read_bytes())
    fit = ("fit", source, "--as", "maker", "--model", "marginals", "--for", "sample")
    assert anomalo(*fit, "--workspace", home / "workspace").code == 0
    app = opened("synthesize")
    app.text_input(key="holdout").input("/etc/passwd").run()
    assert "may not open" in app.error[0].value
    assert [button.label for button in app.button if button.label == "Generate rows"] == []
    # What the workspace's owner fitted a model on stays usable.
    app.text_input(key="holdout").input(str(source)).run()
    assert not app.error
    assert not opened("start", source=str(source)).error


def test_a_table_recorded_without_its_folder_is_not_looked_for_here(
    home: Path, anomalo: Any, tables: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("then", "now"):
        (home / folder).mkdir()
        (home / folder / "patients.csv").write_bytes((tables / "patients.csv").read_bytes())
    workspace, now = home / "workspace", home / "now" / "patients.csv"
    monkeypatch.chdir(home / "then")
    assert anomalo("fit", "patients.csv", "--as", "m", "--model", "bootstrap", "--workspace", workspace).code == 0
    assert anomalo("augment", "--with", "m", "-n", 5, "-o", "rows.csv", "--workspace", workspace).code == 0
    monkeypatch.chdir(home / "now")
    (record,), (run,) = data.models(), data.runs()
    assert sources.again(record) == str(sources.chosen(record.source)) == str(home / "then" / "patients.csv")
    assert data.output_table(run) == home / "then" / "rows.csv"
    with pytest.raises(UsageError, match="may not open"):
        sources.chosen("patients.csv")

    # As it was recorded before.
    (home / "now" / "rows.csv").write_bytes(TABLE)
    with closing(sqlite3.connect(workspace / "anomalo.db")) as database:
        database.execute("update models set source = 'patients.csv'")
        database.execute("update runs set source = 'patients.csv', summary = json_set(summary, '$.output', 'rows.csv')")
        database.commit()
    for source in ("patients.csv", str(now)):
        with pytest.raises(UsageError, match="may not open"):
            sources.chosen(source)
    for old in (data.models()[0], data.runs()[0]):
        with pytest.raises(UsageError, match="recorded without its folder"):
            sources.again(old)
    assert data.output_table(data.runs()[0]) is None


def test_an_upload_is_kept_under_a_random_name_for_its_owner_alone(home: Path) -> None:
    os.umask(os.umask(0o022))
    kept = [uploads.keep("May sales (2).csv.gz", b"1"), uploads.keep("May sales (2).csv.gz", b"1")]
    assert kept[0] != kept[1]
    for path in kept:
        assert path.parent == home / "workspace" / "uploads"
        assert path.name.removesuffix(".csv.gz").isalnum()
        assert len(path.name) == 32 + len(".csv.gz")
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert uploads.name_of(str(path)) == "May sales (2).csv.gz"
    assert stat.S_IMODE(kept[0].parent.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept[0].parent.iterdir()} == {0o600}


@pytest.mark.parametrize(
    ("name", "suffix", "said"),
    [
        ("../../etc/cron.d/job.csv", ".csv", "job.csv"),
        ("..\\..\\job.CSV", ".csv", "job.CSV"),
        ("..", "", ".."),
        ("", "", "table"),
        (".bashrc", "", ".bashrc"),
        ("table.csv.php", "", "table.csv.php"),
        ("x" * 300 + ".parquet", ".parquet", ("x" * 300 + ".parquet")[-255:]),
        ("a\0b.csv", ".csv", "a\0b.csv"),
    ],
)
def test_the_name_of_an_upload_is_shown_and_is_no_path(name: str, suffix: str, said: str, home: Path) -> None:
    path = uploads.keep(name, b"x")
    assert path.parent == home / "workspace" / "uploads"
    assert path.name[32:] == suffix
    assert uploads.name_of(str(path)) == said


def test_a_name_is_read_beside_uploads_only(home: Path) -> None:
    (home / "private" / f"{'a' * 32}.json").write_text('{"name": "shown"}')
    assert uploads.name_of(str(home / "private" / f"{'a' * 32}.csv")) == f"{'a' * 32}.csv"
    path = uploads.keep("lost.csv", b"x")
    path.with_suffix(".json").write_text("damaged")
    assert uploads.name_of(str(path)) == path.name


@pytest.mark.slow
def test_pages_call_an_upload_by_its_name(home: Path) -> None:
    app = opened("start")
    app.file_uploader(key="upload").set_value(("May sales.csv", TABLE, "text/csv")).run()
    assert not app.error
    assert app.caption[0].value.startswith("May sales.csv: 2 rows")
    assert next(box for box in app.text_input if box.label == "Save as").value == "May_sales"
    app.file_uploader(key="upload").set_value(("none.csv", b"", "text/csv")).run()
    assert app.error[0].value.startswith("none.csv is empty")
