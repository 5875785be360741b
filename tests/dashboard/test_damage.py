"""What pages say where the files of a run or a model are missing, cut or damaged."""

from __future__ import annotations

import logging
import re
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

import anomalo_dashboard

pytestmark = pytest.mark.slow  # it opens every page, many times

APP = Path(anomalo_dashboard.__file__).with_name("app.py")
FILES = {
    "alerts": "runs/0001-score/scores.parquet",
    "row": "runs/0001-score/cells.parquet",
    "repairs?0002-impute": "runs/0002-impute/fills.parquet",
    "repairs?0003-repair": "runs/0003-repair/repairs.parquet",
    "embedding_map": "runs/0004-embed/codes.parquet",
    "synthesize": "runs/0006-evaluate/report.json",
}


@pytest.fixture
def home(hostile_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace that a test may damage."""
    copied = Path(shutil.copytree(hostile_home, tmp_path / "workspace"))
    # A comparison names the rows that it compared by their path.
    with closing(sqlite3.connect(copied / "anomalo.db")) as database:
        database.execute("update runs set source = replace(source, ?, ?)", (str(hostile_home), str(copied)))
        database.commit()
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(copied))
    return copied


def opened(page: str, **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=600)
    app.run().switch_page(f"views/{page}.py")
    app.query_params.update(query)
    return app.run()


@pytest.mark.parametrize("damage", ["gone", "cut", "other"])
@pytest.mark.parametrize(("page", "file"), FILES.items(), ids=list(FILES))
def test_a_page_says_which_run_is_damaged_and_what_to_do(
    page: str, file: str, damage: str, home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = home / file
    if damage == "gone":
        shutil.rmtree(path.parent)
    else:
        path.write_bytes(path.read_bytes()[:100] if damage == "cut" else b"{}")
    name, _, run = page.partition("?")
    app = opened(name, **({"run": run} if run else {}))
    assert not app.exception, [error.message for error in app.exception]
    (error,) = app.error
    identity = path.parent.name.replace("-", r"\-")
    assert f"the files of the run {identity} are missing or damaged: restore the folder" in error.value
    assert str(home) not in error.value
    assert "Error" not in error.value
    shown = re.search(r" \(error ([0-9a-f]{6})\)$", error.value)
    assert shown
    assert any(shown[1] in record.getMessage() for record in caplog.records if record.levelno == logging.ERROR)


def test_another_run_can_be_chosen_where_one_is_damaged(home: Path) -> None:
    (home / FILES["row"]).unlink()
    (home / "runs/0001-score/scores.parquet").unlink()
    assert opened("row").selectbox(key="run").options == ["0001-score"]


def test_damaged_models_and_a_damaged_database(home: Path) -> None:
    shutil.rmtree(home / "models")
    app = opened("models")
    assert not app.exception
    assert "missing or damaged; fit the model again" in app.warning[0].value
    (home / "anomalo.db").write_bytes(b"damaged" * 100)
    for page in ("overview", "models", "alerts"):
        app = opened(page)
        assert not app.exception
        assert "anomalo.db" in app.error[0].value
        assert str(home) not in app.error[0].value
