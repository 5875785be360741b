"""Pages of runs of images: thumbnails, heat maps, filled images, and folders and archives to learn from."""

from __future__ import annotations

import base64
import io
import os
import stat
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.errors import UsageError
from anomalo.workspace.workspace import RunRecord, Workspace
from anomalo_dashboard import sources
from anomalo_dashboard.images import pictures
from anomalo_dashboard.images.inpainted import archive
from anomalo_dashboard.mapping import chart
from anomalo_dashboard.mapping.cloud import Cloud
from anomalo_dashboard.mapping.colours import by_alert
from anomalo_dashboard.security import archives, uploads
from anomalo_dashboard.security.bounds import MOST
from anomalo_dashboard.security.files import ALLOWED, openable

APP = Path(anomalo_dashboard.__file__).with_name("app.py")
SIZE = (8, 10)
NAME = "<b>0*.png"
"""What a page must show to the character."""


def png(value: int = 100) -> bytes:
    content = io.BytesIO()
    Image.fromarray(np.full(SIZE, value, np.uint8)).save(content, format="PNG")
    return content.getvalue()


@pytest.fixture(scope="module")
def desk(anomalo: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Images of which one has a mask and a hostile name, scored and filled, and then moved away."""
    place, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(5)
    (place / "new").mkdir()
    for at in range(24):
        image = rng.integers(60, 190, SIZE, np.uint8)
        Image.fromarray(image).save(place / "new" / (NAME if at == 0 else f"{at:02}.png"))
    hidden = np.zeros(SIZE, np.uint8)
    hidden[2:4, 3:6] = 1
    Image.fromarray(hidden).save(place / "new" / NAME.replace(".png", ".mask.png"))
    of = ("--with", "noise", "--workspace", place / "ws")
    for verb in (
        ("fit", place / "new", "--model", "local_pca", "--as", "noise", "--workspace", place / "ws"),
        ("score", place / "new", *of, "--threshold", "budget=3", "--explain", "5"),
        ("impute", place / "new", *of),
    ):
        done = anomalo(*verb)
        assert done.code == 0, done.err
    (place / "new").rename(place / "moved")
    return place


@pytest.fixture
def home(desk: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(desk / "ws"))
    monkeypatch.setenv(ALLOWED, str(desk / "moved"))
    return desk


def run_of(home: Path, verb: str) -> RunRecord:
    return next(run for run in Workspace(home / "ws").runs() if run.verb == verb)


def opened(name: str, **query: str) -> AppTest:
    app = AppTest.from_file(APP, default_timeout=600)
    app.run().switch_page(f"views/{name}.py")
    app.query_params.update(query)
    app.run()
    assert not app.exception, [error.message for error in app.exception]
    assert not app.error, [error.value for error in app.error]
    return app


def table(app: AppTest, column: str) -> pd.DataFrame:
    return next(frame.value for frame in app.dataframe if column in frame.value)


def shown(app: AppTest) -> list[str]:
    """The captions of the pictures on a page."""
    return [image.caption for element in app.get("image") for image in element.proto.imgs]


def decoded(address: str) -> np.ndarray:
    mark = "data:image/png;base64,"
    assert address.startswith(mark)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.removeprefix(mark)))))


def test_alerts_have_thumbnails_and_the_row_in_view_its_heat_map(home: Path) -> None:
    app = opened("alerts")
    listed = table(app, "image")
    assert len(listed) == 3
    assert all(decoded(address).shape == SIZE for address in listed["image"])
    assert shown(app) == ["Heat map", "Expected"]
    assert "image_file" not in next(box for box in app.selectbox if box.label == "Column with the value").options
    assert not [box for box in app.get("button_group") if "incident" in box.proto.label]


def test_a_row_shows_image_heat_map_and_what_was_filled_though_the_files_have_moved(home: Path) -> None:
    run = run_of(home, "score")
    scores = pd.read_parquet(run.path / "scores.parquet")
    row = int(scores["p_value"].idxmin())
    app = opened("row", run=run.id, row=str(row))
    assert shown(app)[:3] == ["Image, as the model sees it", "Heat map", "Expected"]
    assert table(app, "contribution")["column"].str.startswith("x ").all()
    before = [image.url for element in app.get("image") for image in element.proto.imgs]
    app.slider(key="heat").set_value(0).run()
    after = [image.url for element in app.get("image") for image in element.proto.imgs]
    assert [old == new for old, new in zip(before, after, strict=True)][:3] == [True, False, True]
    over, seen = pictures.overlaid(run, row, 0.0), pictures.large(run, row, "seen")
    assert over is not None
    assert seen is not None
    assert (over == seen[:, :, None]).all()
    assert not [frame for frame in app.dataframe if "image_file" in frame.value.get("column", pd.Series()).tolist()]


def test_a_filled_image_is_shown_on_its_row_and_on_repairs(home: Path) -> None:
    filled = run_of(home, "impute")
    app = opened("repairs", run=filled.id)
    assert shown(app) == ["Before", "After"]
    said = "\n".join(line.value for line in app.markdown)
    assert "**1 image**, 6 hidden pixels filled" in said
    assert "\\<b\\>0\\*.png" in said
    with zipfile.ZipFile(io.BytesIO(archive(filled.path / "filled"))) as saved:
        assert saved.namelist() == [NAME]
    row = pd.read_parquet(filled.path / "filled.parquet").set_index("path")["row"][NAME]
    assert pictures.large(filled, int(row), "filled") is not None


@pytest.mark.parametrize("name", ["overview", "embedding_map", "feedback", "models", "synthesize"])
def test_other_pages_take_runs_of_images(home: Path, name: str) -> None:
    app = opened(name)
    said = "\n".join([*(info.value for info in app.info), *(line.value for line in app.caption)])
    if name == "embedding_map":
        assert "Score the table with one that does: conv, " in said
    if name == "models":
        assert app.table[0].value["Value"].tolist().count("24 images of 10 × 8 pixels, grey") == 1
    if name == "synthesize":
        assert str(home / "new") not in app.selectbox(key="learn_from").options


def test_points_of_the_map_have_pictures_that_no_description_holds() -> None:
    rows, n = np.array([2, 0, 1]), 3
    scores = SimpleNamespace(
        id=None,
        alert=np.array([True, False, False]),
        table=lambda drawn, alert: pd.DataFrame(
            {"row": drawn, "score": 1.0, "p_value": 0.5, "alert": alert[drawn], "reasons": None}
        ),
    )
    cloud = Cloud(np.arange(n), np.zeros(n), np.zeros(n), ("", ""), False, "")
    palette = by_alert(scores.alert[rows])
    points = chart.table(cloud, scores, rows, palette, ["data:image/png;base64,AA", None])  # type: ignore[arg-type]
    assert points.set_index("row")["image"].to_dict() == {2: "data:image/png;base64,AA", 0: "", 1: ""}
    drawn = chart.draw(points, pd.DataFrame(columns=["rows", "alerts"]), cloud, palette, None, chart.MOVE).to_dict()
    encoding = drawn["layer"][0]["encoding"]
    assert "image" in [tip["field"] for tip in encoding["tooltip"]]
    assert encoding["description"]["field"] == "said"
    assert points["said"].tolist() == [f"row: {row}; anomaly score: 1" for row in points["row"]]


@pytest.mark.slow
def test_a_folder_of_images_is_learned_and_scored(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    app = AppTest.from_file(APP, default_timeout=600).run()
    app.text_input(key="source").set_value(str(home / "moved")).run()
    assert not app.exception
    assert not app.error
    assert any("24 images, 1 mask" in line.value for line in app.caption)
    commands = next(code.value for code in app.code)
    assert [line.split()[1] for line in commands.splitlines()] == ["fit", "score", "impute"]
    assert "--model local_pca" in commands


def test_a_model_of_images_is_offered_no_table_and_says_so(home: Path) -> None:
    (home / "moved" / "table.csv").write_text("a,b\n1,2\n3,4\n")
    app = AppTest.from_file(APP, default_timeout=600)
    app.query_params.update({"door": "Score with a saved model", "with": "noise@1"})
    app.run()
    app.text_input(key="source").set_value(str(home / "moved" / "table.csv")).run()
    assert "reads images, and table.csv is a table" in app.error[0].value
    app.text_input(key="source").set_value(str(home / "moved")).run()
    assert not app.error
    assert any(button.label == "Score" for button in app.button)


def test_a_folder_is_opened_only_if_its_images_stay_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("ws", "allowed/parts", "allowed/tables", "private"):
        (tmp_path / folder).mkdir(parents=True)
    for folder in ("allowed/parts", "private"):
        (tmp_path / folder / "a.png").write_bytes(png())
    (tmp_path / "allowed" / "tables" / "a.csv").write_text("a\n1\n")
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path / "ws"))
    monkeypatch.setenv(ALLOWED, str(tmp_path / "allowed"))
    parts = tmp_path / "allowed" / "parts"
    assert openable(str(parts), images=True) == parts
    (parts / "b.png").symlink_to(parts / "a.png")
    assert openable(str(parts), images=True) == parts
    for source, said in (
        (parts, "may not open"),
        (tmp_path / "private", "may not open"),
        (tmp_path / "allowed" / "tables", "holds no images"),
    ):
        with pytest.raises(UsageError, match=said):
            openable(str(source), images=source != parts)
    for name in ("c.png", "a.mask.png"):
        (parts / name).symlink_to(tmp_path / "private" / "a.png")
        with pytest.raises(UsageError, match=f"{name} is a link that leads out"):
            openable(str(parts), images=True)
        (parts / name).unlink()


def packed(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


def test_an_archive_of_images_becomes_a_folder_that_nothing_leaves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    content = packed(
        {
            "parts/a.png": png(1),
            "parts/a.mask.png": png(2),
            "../../evil.png": png(3),
            "/tmp/abs.jpg": png(4),
            "..\\..\\w.bmp": png(5),
            "__MACOSX/parts/._a.png": b"",
            ".x.png": b"",
            "script.py": b"",
        }
    )
    folder = uploads.keep("C:\\photos\\Monday.zip", content)
    found = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    assert found == ["evil.png", "parts/a.mask.png", "parts/a.png", "tmp/abs.jpg", "w.bmp"]
    assert (folder / "parts" / "a.png").read_bytes() == png(1)
    assert uploads.name_of(str(folder)) == "Monday.zip"
    assert openable(str(folder), images=True) == folder
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.rglob("*") if path.is_file()} == {0o600}
    assert sorted(os.listdir(tmp_path)) == ["uploads"]


def test_hostile_archives_are_refused_and_leave_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    monkeypatch.setenv(MOST, "1000000")
    whole = packed({f"{at}.png": png(at) for at in range(3)})
    bomb = packed({"a.png": bytes(2_000_000)})
    entry = zipfile.ZipInfo("link.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    links = io.BytesIO()
    with zipfile.ZipFile(links, "w") as written:
        written.writestr(entry, "/etc/passwd")
    cases = {
        "more than may be unpacked": bomb,
        "damaged or encrypted": spoilt(whole),
        "holds no images": links.getvalue(),
        "at the same path": packed({"a/b.png": png(), "a//b.png": png()}),
    }
    for said, content in cases.items():
        with pytest.raises(UsageError, match=said):
            uploads.keep("x.zip", content)
    monkeypatch.setattr(archives, "MOST_FILES", 2)
    with pytest.raises(UsageError, match="holds 3 images; give at most 2"):
        uploads.keep("x.zip", whole)
    assert list((tmp_path / "uploads").iterdir()) == []


def spoilt(content: bytes) -> bytes:
    """An archive whose first file has another content than its checksum says."""
    at = content.index(b"PK\x03\x04") + 50
    return content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :]


def test_other_archives_are_kept_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    pictures_of_a_book = {f"xl/media/{at}.png": png() for at in range(9)}
    for content in (packed({"t.csv": b"a\n1\n"}), packed({"[Content_Types].xml": b"", **pictures_of_a_book})):
        assert uploads.keep("x.zip", content).read_bytes() == content
    assert uploads.keep("x.npz", b"").suffix == ".npz"


def test_who_names_another_table_does_not_choose_where_images_are() -> None:
    record: Any = SimpleNamespace(
        source="/data/list.csv", summary={"reading": {"images": "photo", "masks": "/m", "encoding": "cp1252"}}
    )
    both = ["--images", "photo", "--masks", "/m", "--encoding", "cp1252"]
    assert sources.flags(record) == sources.flags(record, "/data/list.csv") == both
    assert sources.flags(record, "/ws/uploads/ab.csv") == ["--encoding", "cp1252"]
