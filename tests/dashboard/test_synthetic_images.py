"""The page Synthesize with models of images: which to draw, and a contact sheet beside the nearest training images."""

from __future__ import annotations

import io
import shutil
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

import anomalo_dashboard
from anomalo.jobs.background import queue
from anomalo.jobs.images.pictures import png
from anomalo.workspace.workspace import RunRecord, Workspace
from anomalo_dashboard import data
from anomalo_dashboard.synthesizing import images

APP = Path(anomalo_dashboard.__file__).with_name("app.py")
SIZE = (4, 6)
COPY = 27
"""The number of the image that may be a copy."""


def pixels(number: int) -> np.ndarray:
    return np.full(SIZE, number, np.uint8)


def drawn(store: Workspace, count: int = 30) -> RunRecord:
    """A run as `augment` leaves it, of images whose training images have hostile names; one may be a copy."""
    distances = np.linspace(0.2, 0.5, count)
    distances[COPY] = 0.001
    table = pd.DataFrame({"path": [f"{at:06}.png" for at in range(count)], "seed": 0, "class": "NA"})
    table = table.assign(nearest="=<b>![x](http://a/b)", distance=distances.round(4))

    def write(folder: Path) -> dict[str, Any]:
        for name, of in (("synthetic", 0), ("nearest", 100)):
            (folder / name).mkdir()
            for at in range(count):
                (folder / name / f"{at:06}.png").write_bytes(png(pixels(at + of)))
        table.to_csv(folder / "synthetic" / "images.csv", index=False)
        distance = {"median": 0.25, "of_training_images": 0.125}
        return {"rows": count, "seed": 0, "distance": distance, "copies": 1, "output": None, "warnings": ["it's $5"]}

    return store.add_run("augment", write, model=None, source="/gone/parts")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunRecord:
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(tmp_path))
    return drawn(Workspace(tmp_path))


def opened() -> AppTest:
    app = AppTest.from_file(APP, default_timeout=600).run()
    app.switch_page("views/synthesize.py").run()
    assert not app.exception, [error.message for error in app.exception]
    return app


def captions(app: AppTest) -> list[str]:
    return [image.caption for element in app.get("image") for image in element.proto.imgs]


@pytest.mark.slow
def test_a_possible_copy_is_first_and_marked_and_a_page_has_a_bounded_number(run: RunRecord) -> None:
    app = opened()
    assert not app.error
    assert "30 synthetic images for parts" in app.caption[0].value
    assert [metric.value for metric in app.metric] == ["0.250", "0.125", "1"]
    headings = [line.value for line in app.markdown if line.value.startswith("**") and "class" in line.value]
    assert headings[0].startswith(f"**{COPY}** · class NA :orange-badge[")
    assert [line.split("**")[1] for line in headings[1:]] == [str(at) for at in range(images.PAGE - 1)]
    assert not [line for line in headings[1:] if "copy" in line]
    assert captions(app) == ["Synthetic", "Nearest"] * images.PAGE
    assert any(line.value.startswith("0.001 from =\\<b\\>!\\[x\\](http:") for line in app.caption)
    assert "it's \\$5" in app.warning[0].value.lower()
    app.pagination(key="images_page").set_value(2).run()
    assert captions(app) == ["Synthetic", "Nearest"] * (30 - images.PAGE)


def test_the_archive_has_images_and_their_table_without_formulas(run: RunRecord) -> None:
    with zipfile.ZipFile(io.BytesIO(images.packed(run))) as saved:
        assert saved.namelist() == [*(f"{at:06}.png" for at in range(30)), "images.csv"]
        with saved.open("000007.png") as file:
            assert (np.asarray(Image.open(file)) == pixels(7)).all()
        assert ",'=<b>" in saved.read("images.csv").decode()


@pytest.mark.slow
def test_without_training_images_they_are_shown_as_they_were_drawn(tmp_path: Path, run: RunRecord) -> None:
    shutil.rmtree(run.path / "nearest")
    path = run.path / "synthetic" / "images.csv"
    pd.read_csv(path).assign(nearest=None, distance=None).to_csv(path, index=False)
    listed = images.listed(run.path, "again", 30, 0)
    assert listed["number"].tolist() == list(range(30))
    assert not listed["copy"].any()
    assert captions(opened()) == ["Synthetic"] * images.PAGE


@pytest.mark.slow
@pytest.mark.parametrize("damage", ["lines", "table"])
def test_damage_is_one_clear_line(run: RunRecord, damage: str) -> None:
    path = run.path / "synthetic" / "images.csv"
    if damage == "table":
        path.unlink()
    else:
        pd.read_csv(path)[:5].to_csv(path, index=False)
    app = opened()
    assert len(app.error) == 1
    assert f"the files of the run {run.id.replace('-', chr(92) + '-')} are missing or damaged" in app.error[0].value


@pytest.mark.slow
def test_a_picture_that_no_run_wrote_is_not_shown(tmp_path: Path, run: RunRecord) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(pixels(9)))
    first = run.path / "synthetic" / f"{COPY:06}.png"
    first.unlink()
    first.symlink_to(secret)
    assert captions(opened())[:3] == ["Nearest", "Synthetic", "Nearest"]


def learned(app: AppTest, place: Path, source: Path) -> None:
    """Fit a generator of classes by the form."""
    assert app.selectbox(key="learn_from").options == ["bars.npz", "hypothyroid.csv"]
    assert app.selectbox(key="learner").value == "dcgan"
    app.selectbox(key="learner").select("cdcgan").run()
    for name in ("epochs", "width", "noise"):
        app.number_input(key=f"cdcgan.{name}").set_value(1 if name == "epochs" else 4)
    app.text_input(key=f"learn as {source}").input("cdcgan")
    app.text_input(key=f"label {source}").input("labels").run()
    next(button for button in app.button if button.label == "Fit the generator").click().run()
    while (job := queue.jobs(place)[0]).status == "running":
        time.sleep(0.2)
    assert job.status == "done", job.message
    assert job.commands[0][-3:] == ("--label", "labels", "--supervised")


@pytest.mark.slow
def test_images_of_a_class_are_drawn_by_a_job(anomalo: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place, rng = tmp_path / "ws", np.random.default_rng(4)
    monkeypatch.setenv("ANOMALO_WORKSPACE", str(place))
    labels = np.arange(40) % 2
    np.savez(tmp_path / "bars.npz", images=rng.integers(0, 250, (40, 8, 8)).astype(np.uint8), labels=labels)
    short = ("--set", "epochs=1", "--set", "width=4", "--set", "noise=4", "--workspace", place)
    done = anomalo("fit", tmp_path / "bars.npz", "--model", "dcgan", "--as", "dcgan", *short)
    assert done.code == 0, done.err
    app = opened()
    learned(app, place, tmp_path / "bars.npz")
    app = opened()
    assert app.selectbox(key="generator").options == ["cdcgan@1 (cdcgan)", "dcgan@1 (dcgan)"]
    app.number_input(key="images").set_value(5)
    app.selectbox(key="class cdcgan@1").select("1").run()
    next(button for button in app.button if button.label == "Generate images").click().run()
    while (job := queue.jobs(place)[0]).status == "running":
        time.sleep(0.2)
    assert job.status == "done", job.message
    assert job.commands == (("augment", "--with", "cdcgan@1", "-n", "5", "--seed", "0", "--where", "labels=1"),)
    app.run()
    run = data.runs("augment")[0]
    assert app.selectbox(key="run").value == run.id
    assert captions(app) == ["Synthetic", "Nearest"] * 5
    nearest = images.listed(run.path, run.created, 5, 0).set_index("number")["nearest"]
    with np.load(tmp_path / "bars.npz") as file, Image.open(run.path / "nearest" / "000003.png") as kept:
        at = int(nearest[3].removeprefix("images[").removesuffix("]"))
        assert (np.asarray(kept) == file["images"][at]).all()
    app.selectbox(key="generator").select("dcgan@1").run()
    assert "class dcgan@1" not in [box.key for box in app.selectbox]
