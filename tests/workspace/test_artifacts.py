import json
import os
import pickle
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from anomalo import __version__
from anomalo.errors import ArtefactError, OutputError
from anomalo.plugin import ModelState
from anomalo.workspace.artifacts import FORMAT, json_ready, load, save

MANIFEST = {"model": "two-stage", "params": {"epochs": 3}, "history": [{"loss": 0.5}, {"loss": -0.0}], "ümlaut": "é\n"}


def nested() -> ModelState:
    deepest = ModelState(arrays={"centre_": np.array(2.5)}, values={"names_": ["a", "b"]})
    inner = ModelState({"tree_": np.arange(4, dtype=np.int64)}, {}, {"base_": ("mean", {}, deepest)})
    arrays = {"weight_": np.eye(3, dtype=np.float32), "kept_": np.array([True, False])}
    return ModelState(arrays, {"loss_": 0.25, "none_": None}, {"first_": ("knn", {"neighbours": 5}, inner)})


CALIBRATION: dict[str, dict[str, Any]] = {
    "calibration": {"scores": np.linspace(0, 1, 5), "fold": np.zeros(0, dtype=np.int32)}
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save(tmp_path / "model", MANIFEST, nested(), CALIBRATION)
    return tmp_path / "model"


def files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def assert_same_arrays(got: dict[str, Any], expected: dict[str, Any]) -> None:
    assert got.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(got[name], array, strict=True)


def assert_same_state(got: ModelState, expected: ModelState) -> None:
    assert_same_arrays(got.arrays, expected.arrays)
    assert got.values == expected.values
    assert got.models.keys() == expected.models.keys()
    for name, (kind, params, inner) in expected.models.items():
        assert got.models[name][:2] == (kind, params)
        assert_same_state(got.models[name][2], inner)


def reseal(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the manifest as an attacker can: with valid checksums."""
    document = json.loads((folder / "manifest.json").read_bytes())
    del document["sha256"]
    change(document)

    def text() -> bytes:
        return (json.dumps(document, sort_keys=True, indent=1) + "\n").encode()

    document["sha256"] = sha256(text()).hexdigest()
    (folder / "manifest.json").write_bytes(text())


def test_round_trip_of_a_nested_model(saved: Path) -> None:
    artefact = load(saved)
    assert_same_state(artefact.state, nested())
    assert_same_arrays(artefact.arrays["calibration"], CALIBRATION["calibration"])
    assert MANIFEST.items() <= artefact.manifest.items()
    assert (artefact.manifest["format"], artefact.manifest["anomalo"]) == (FORMAT, __version__)


def test_the_folder_is_laid_out_as_documented(saved: Path) -> None:
    assert [path.relative_to(saved).as_posix() for path in files(saved)] == [
        "calibration.safetensors",
        "manifest.json",
        "model.safetensors",
        "models/first_/model.safetensors",
        "models/first_/models/base_/model.safetensors",
    ]


def test_checksums_can_be_verified_by_anyone(saved: Path) -> None:
    document = json.loads((saved / "manifest.json").read_text())
    for name, facts in document["files"].items():
        content = (saved / name).read_bytes()
        assert facts == {"bytes": len(content), "sha256": sha256(content).hexdigest()}
    assert set(document["files"]) == {path.relative_to(saved).as_posix() for path in files(saved)} - {"manifest.json"}


def test_equal_models_are_equal_files(saved: Path) -> None:
    save(saved.with_name("again"), dict(reversed(MANIFEST.items())), nested(), CALIBRATION)
    for path in files(saved):
        assert path.read_bytes() == (saved.with_name("again") / path.relative_to(saved)).read_bytes()


DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(endianness="?"),
    hnp.unsigned_integer_dtypes(endianness="?"),
    hnp.floating_dtypes(endianness="?", sizes=(16, 32, 64)),
)


@settings(max_examples=40, deadline=None)
@given(array=hnp.arrays(DTYPES, hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=4)), data=st.data())
def test_arrays_of_any_type_shape_and_strides_come_back(
    tmp_path_factory: pytest.TempPathFactory, array: Any, data: st.DataObject
) -> None:
    views = [array, array.T, array[..., ::2] if array.ndim else array, array[::-1] if array.ndim else array]
    view = data.draw(st.sampled_from(views))
    folder = tmp_path_factory.mktemp("arrays") / "model"
    save(folder, {}, ModelState(arrays={"a_": view}))
    (got,) = load(folder).state.arrays.values()
    assert got.dtype == view.dtype.newbyteorder("=")
    assert got.shape == view.shape
    np.testing.assert_array_equal(got, view)
    assert got.flags.writeable  # PyTorch warns about arrays that are not


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40, deadline=None)
@given(value=JSON)
def test_json_values_come_back_exactly(tmp_path_factory: pytest.TempPathFactory, value: Any) -> None:
    folder = tmp_path_factory.mktemp("values") / "model"
    save(folder, {"entry": value}, ModelState(values={"value_": value}))
    artefact = load(folder)
    for got in (artefact.manifest["entry"], artefact.state.values["value_"]):
        assert json.dumps(got, sort_keys=True) == json.dumps(value, sort_keys=True)  # distinguishes -0.0 from 0.0


def test_tuples_become_lists_and_numpy_scalars_become_plain() -> None:
    ready = json_ready({"t": (1, (2.5,)), "n": np.float32(0.5), "i": np.int64(3), "b": np.bool_(True)}, "x")
    assert ready == {"t": [1, [2.5]], "n": 0.5, "i": 3, "b": True}
    assert [type(item) for item in ready.values()] == [list, float, int, bool]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"loss": [1.0, float("nan")]}, r"manifest\.loss\[1\] is nan, .*finite number or None"),
        ({"loss": np.float64("inf")}, r"manifest\.loss is inf"),
        ({"levels": {1: "a"}}, r"manifest\.levels has the key 1 of type int: expected text"),
        ({"what": {1, 2}}, r"manifest\.what is of type set: expected text, numbers"),
        ({"what": np.zeros(2)}, r"manifest\.what is of type ndarray: .*keep anything larger in a NumPy array"),
        ({"what": np.longdouble(1)}, r"manifest\.what is of type longdouble"),
        ({"sha256": ""}, r"manifest entry 'sha256' is written by anomalo itself"),
    ],
)
def test_what_a_manifest_cannot_hold_is_refused_by_name(tmp_path: Path, value: Any, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        save(tmp_path / "model", value, ModelState())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array(["a"]), "array 'a_' of model.safetensors has the type <U1: .*keep text in a list"),
        (np.array([None]), "type object"),
        (np.array(["2020-01-01"], dtype="datetime64[D]"), "type datetime64"),
        (np.zeros(2, dtype=np.longdouble), "at most 64 bits"),
        (np.zeros(2, dtype=np.complex128), "type complex128"),
    ],
)
def test_arrays_that_would_need_pickle_are_refused(tmp_path: Path, array: Any, message: str) -> None:
    with pytest.raises(ArtefactError, match=message):
        save(tmp_path / "model", {}, ModelState(arrays={"a_": array}))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["..", "../up", "a/b", "", "a.b", "é_", "/etc", "model"])
def test_names_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    with pytest.raises(ArtefactError, match=r"cannot name a saved part|would replace the model"):
        save(tmp_path / "model", {}, ModelState(), {name: {}})
    if name != "model":
        with pytest.raises(ArtefactError, match="cannot name a saved part"):
            save(tmp_path / "model", {}, ModelState(models={name: ("mean", {}, ModelState())}))
    assert list(tmp_path.iterdir()) == []


def test_an_existing_folder_is_never_overwritten(saved: Path) -> None:
    with pytest.raises(OutputError, match="exists already"):
        save(saved, {}, ModelState())
    assert_same_state(load(saved).state, nested())


@pytest.mark.parametrize("index", range(5))
def test_a_flipped_byte_anywhere_is_found_and_the_file_named(saved: Path, index: int) -> None:
    path = files(saved)[index]
    content = path.read_bytes()
    rng = random.Random(index)
    for offset in range(len(content)):
        flip = rng.choice([1 << rng.randrange(8), rng.randrange(1, 256), content[offset] ^ 0x20 or 1])
        damaged = content[:offset] + bytes([content[offset] ^ flip]) + content[offset + 1 :]
        path.write_bytes(damaged)
        with pytest.raises(ArtefactError) as caught:
            load(saved)
        assert str(path) in str(caught.value)
        assert "fit the model again or restore the folder from a copy" in str(caught.value)


@pytest.mark.parametrize("change", [b" ", b"\n", b"\0", b"x"])
def test_appended_bytes_are_found(saved: Path, change: bytes) -> None:
    for path in files(saved):
        content = path.read_bytes()
        for damaged in (content + change, change + content):
            path.write_bytes(damaged)
            with pytest.raises(ArtefactError, match=str(path)):
                load(saved)
        path.write_bytes(content)


def test_the_same_json_in_another_form_is_found(saved: Path) -> None:
    path = saved / "manifest.json"
    document = json.loads(path.read_text())
    for other in (json.dumps(document), json.dumps(document, indent=1), path.read_text().replace(",\n", ", \n", 1)):
        path.write_text(other)
        with pytest.raises(ArtefactError, match="does not match its checksum"):
            load(saved)


@pytest.mark.parametrize("index", range(5))
def test_missing_and_truncated_files_are_found(saved: Path, index: int) -> None:
    path = files(saved)[index]
    content = path.read_bytes()
    for length in (0, 1, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(ArtefactError, match=str(path)):
            load(saved)
    path.unlink()
    with pytest.raises(ArtefactError, match=rf"{path}: the file is missing; fit the model again or restore"):
        load(saved)


@pytest.mark.parametrize("name", ["notes.txt", "models/first_/extra.safetensors", "model.pkl"])
def test_unexpected_files_are_refused(saved: Path, name: str) -> None:
    (saved / name).touch()
    with pytest.raises(ArtefactError, match=rf"{name}: a file that does not belong .*remove it"):
        load(saved)


def test_what_is_not_a_saved_model_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    with pytest.raises(ArtefactError, match=r"does not exist; expected a folder with a manifest\.json"):
        load(tmp_path / "absent")
    with pytest.raises(ArtefactError, match="is not a folder"):
        load(tmp_path / "file")
    with pytest.raises(ArtefactError, match=r"manifest\.json: the file is missing"):
        load(tmp_path / "empty")


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"3", b"\xff\xfe", b"NaN", b"[" * 100_000])
def test_a_manifest_that_is_not_one_is_refused(saved: Path, content: bytes) -> None:
    (saved / "manifest.json").write_bytes(content)
    with pytest.raises(ArtefactError, match="it is not the manifest of a saved model, or it is damaged"):
        load(saved)


@pytest.mark.parametrize(
    ("version", "advice"),
    [
        *((older, "fit the model again$") for older in range(FORMAT)),
        *((other, "update anomalo, or fit the model again") for other in (FORMAT + 1, str(FORMAT), None)),
    ],
)
def test_another_format_is_refused_with_what_to_do(saved: Path, version: Any, advice: str) -> None:
    reseal(saved, lambda document: document.update(format=version))
    with pytest.raises(
        ArtefactError, match=rf"format {version!r}, but anomalo .* reads format {FORMAT}; {advice}"
    ) as caught:
        load(saved)
    assert (caught.value.exit_code, "\n" in str(caught.value)) == (1, False)


@pytest.mark.parametrize(
    "change",
    [
        lambda document: document["state"]["models"].update({"../up": document["state"]["models"].pop("first_")}),
        lambda document: document["arrays"].append("../../secret"),
        lambda document: document["arrays"].append("absent"),
        lambda document: document["arrays"].clear(),
        lambda document: document["arrays"].append(3),
        lambda document: document.pop("files"),
        lambda document: document.update(state=[]),
        lambda document: document.update(files=[]),
        lambda document: document["state"].update(values=3),
        lambda document: document["state"]["models"]["first_"].pop("name"),
        lambda document: document["files"].update({"model.safetensors": None}),
        lambda document: document["files"].update({"../secret": {"bytes": 0, "sha256": ""}}),
    ],
)
def test_a_forged_manifest_is_an_artefact_error_too(saved: Path, change: Callable[[dict[str, Any]], None]) -> None:
    (saved.parent / "secret").touch()
    reseal(saved, change)
    with pytest.raises(ArtefactError):
        load(saved)


def test_a_forged_safetensors_file_is_an_artefact_error(saved: Path) -> None:
    evil = pickle.dumps(print)
    (saved / "model.safetensors").write_bytes(evil)
    facts = {"bytes": len(evil), "sha256": sha256(evil).hexdigest()}
    reseal(saved, lambda document: document["files"].update({"model.safetensors": facts}))
    with pytest.raises(ArtefactError, match="is not a safetensors file"):
        load(saved)


def test_a_killed_process_leaves_no_model(tmp_path: Path) -> None:
    script = (
        "import os, sys, pathlib\n"
        "from anomalo.workspace import artifacts\n"
        "from anomalo.plugin import ModelState\n"
        "artifacts.sealed = lambda document: os._exit(9)\n"  # all array files are written by then
        "artifacts.save(pathlib.Path(sys.argv[1]), {}, ModelState())\n"
    )
    folder = tmp_path / "model"
    done = subprocess.run([sys.executable, "-c", script, str(folder)], env={**os.environ}, check=False)
    assert done.returncode == 9
    assert not folder.exists()
    save(folder, {}, ModelState())  # the files that the killed process left do not block it
    assert load(folder).state == ModelState()


def test_a_copied_folder_loads(saved: Path) -> None:
    copy = shutil.copytree(saved, saved.with_name("copy"))
    shutil.rmtree(saved)
    assert_same_state(load(copy).state, nested())
