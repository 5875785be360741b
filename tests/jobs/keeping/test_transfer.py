"""A model leaves and enters workspaces as one file; of a damaged or hostile file nothing is written."""

import json
import os
import random
import shutil
import stat
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from anomalo.errors import AnomaloError, ArtefactError, OutputError, SourceError, UsageError
from anomalo.jobs.keeping.transfer import export_model, import_model
from anomalo.persistence.checksums import digest
from anomalo.registry.registry import Registry
from anomalo.workspace import artifacts, bundle
from anomalo.workspace.sealed import sealed
from anomalo.workspace.workspace import Workspace

FORMATS = Path(__file__).parents[2] / "workspace" / "formats"
ARTEFACT = FORMATS / f"artefact-{artifacts.FORMAT}"
ENTRIES = ("export.json", "artefact/manifest.json", "artefact/calibration.safetensors", "artefact/model.safetensors")
LINEAGE = {"who": "ann", "metrics": {"skill": 0.5}, "data": {"fingerprint": "f0"}}


@pytest.fixture
def store(tmp_path: Path) -> Workspace:
    """A workspace with a model."""
    found = Workspace(tmp_path / "from")
    facts: dict[str, Any] = {"model": "linear", "plugin": "autoencoders", "source": "a.csv", "rows": 60, "columns": 3}
    summary = {"lineage": LINEAGE}
    found.add_model("small", lambda folder: shutil.copytree(ARTEFACT, folder), seconds=1.0, summary=summary, **facts)
    return found


@pytest.fixture
def file(store: Workspace, tmp_path: Path) -> Path:
    export_model(store, "small", tmp_path / "small.zip")
    return tmp_path / "small.zip"


@pytest.fixture
def home(tmp_path: Path) -> Workspace:
    """A workspace that is not there yet."""
    return Workspace(tmp_path / "to")


def parts(file: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(file) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(file: Path, entries: list[tuple[str | zipfile.ZipInfo, bytes]], **options: Any) -> Path:
    with zipfile.ZipFile(file, "w", **options) as archive:
        for name, content in entries:
            entry = name if isinstance(name, zipfile.ZipInfo) else regular(name)
            archive.writestr(entry, content, options.get("compression"))
    return file


def regular(name: str, mode: int = stat.S_IFREG | 0o644) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.create_system = 3
    entry.external_attr = mode << 16
    return entry


def refused(home: Workspace, registry: Registry, file: Path) -> str:
    """The one line with which an import is refused, that leaves nothing."""
    with pytest.raises(AnomaloError) as caught:
        import_model(home, registry, file)
    assert isinstance(caught.value, ArtefactError | SourceError)
    assert caught.value.exit_code == 1
    assert not home.workspace.exists()
    assert "\n" not in str(caught.value)
    assert str(file) in str(caught.value)
    return str(caught.value)


def test_a_model_comes_back_whole_with_its_lineage(
    store: Workspace, file: Path, home: Workspace, installed: Registry
) -> None:
    record = import_model(home, installed, file)
    before = store.model("small")
    assert (record.reference, record.model, record.plugin) == ("small@1", before.model, before.plugin)
    assert (record.source, record.rows, record.columns) == ("a.csv", 60, 3)
    for name in (path.name for path in ARTEFACT.iterdir()):
        assert (record.path / name).read_bytes() == (ARTEFACT / name).read_bytes()
    lineage = record.summary["lineage"]
    imported = lineage.pop("imported")
    assert lineage == LINEAGE
    assert (imported["reference"], imported["created"]) == ("small@1", before.created)
    assert (imported["file"], imported["sha256"]) == ("small.zip", digest(file.read_bytes()))
    assert record.summary["verbs"] == ["score", "explain", "impute", "embed"]
    assert record.summary["errors"].keys() == {"height", "weight", "colour"}
    assert import_model(home, installed, file).reference == "small@2"
    assert import_model(home, installed, file, "other").reference == "other@1"


def test_the_same_model_makes_the_same_bytes_of_data_only(store: Workspace, file: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    os.utime(store.model("small").path / "manifest.json", (0, 0))
    export_model(store, "small@1", again)
    assert again.read_bytes() == file.read_bytes()
    assert tuple(parts(file)) == ENTRIES
    assert {Path(name).suffix for name in parts(file)} == {".json", ".safetensors"}


def test_an_imported_model_scores_the_same(
    store: Workspace, file: Path, home: Workspace, anomalo: Callable[..., Any]
) -> None:
    taken = anomalo("import", file, "--as", "mine", "--workspace", home.workspace, "--json")
    assert taken.code == 0, taken.err
    assert taken.json["reference"] == "mine@1"
    scores = []
    for reference, at in (("small", store), ("mine@1", home)):
        outcome = anomalo("score", FORMATS / "table.csv", "--with", reference, "--workspace", at.workspace, "--json")
        assert outcome.code == 0, outcome.err
        scores.append(pq.read_table(Path(outcome.json["path"]) / "scores.parquet"))
    assert scores[0].equals(scores[1])


def test_summary_of_an_import_is_that_of_the_fit(
    tables: Path, workspace: Path, home: Workspace, tmp_path: Path, anomalo: Callable[..., Any], installed: Registry
) -> None:
    store = Workspace(workspace)
    for name in ("full", "near", "fill"):
        export_model(store, name, tmp_path / f"{name}.zip")
        taken, before = import_model(home, installed, tmp_path / f"{name}.zip"), store.model(name)
        del taken.summary["lineage"]["imported"]
        before.summary.pop("identity", None)  # that of the job, which was done elsewhere
        assert taken.summary == before.summary
        assert (taken.rows, taken.columns, taken.seconds) == (before.rows, before.columns, before.seconds)


def test_a_cleaner_is_exported_too(
    tables: Path, home: Workspace, tmp_path: Path, anomalo: Callable[..., Any], installed: Registry
) -> None:
    store = Workspace(tmp_path / "w")
    outcome = anomalo("clean", tables / "patients.csv", "--as", "tidy", "--workspace", store.workspace)
    assert outcome.code == 0, outcome.err
    export_model(store, "tidy", tmp_path / "tidy.zip")
    taken, before = import_model(home, installed, tmp_path / "tidy.zip"), store.model("tidy")
    assert (taken.model, taken.rows, taken.columns) == (before.model, before.rows, before.columns)
    outcome = anomalo("clean", tables / "patients.csv", "--with", "tidy", "--workspace", home.workspace)
    assert outcome.code == 0, outcome.err


@pytest.mark.slow
def test_any_changed_byte_is_refused_or_changes_nothing(file: Path, home: Workspace, installed: Registry) -> None:
    whole, rng = file.read_bytes(), random.Random(0)
    ends = [*range(80), *range(len(whole) - 400, len(whole))]  # the first header, and the list of files
    same = 0
    for offset in [*ends, *rng.sample(range(len(whole)), 150)]:
        file.write_bytes(whole[:offset] + bytes([whole[offset] ^ (1 << rng.randrange(8))]) + whole[offset + 1 :])
        try:
            record = import_model(home, installed, file)
        except (ArtefactError, SourceError):
            refused(home, installed, file)
            continue
        same += 1  # a date or an attribute of the archive, which mean nothing
        for path in ARTEFACT.iterdir():
            assert (record.path / path.name).read_bytes() == path.read_bytes()
        assert (record.name, record.version) == ("small", 1)
        shutil.rmtree(home.workspace)
    assert same < 150


def test_a_file_that_is_cut_off_is_refused(file: Path, home: Workspace, installed: Registry) -> None:
    whole = file.read_bytes()
    for length in [*range(0, 60), *range(60, len(whole), 997), len(whole) - 1]:
        file.write_bytes(whole[:length])
        assert "truncated" in refused(home, installed, file) or length < 42
    file.write_bytes(whole + b"x")
    refused(home, installed, file)
    file.write_bytes(b"x" + whole)
    refused(home, installed, file)


HOSTILE = (
    "../evil",
    "/etc/evil",
    "artefact/../../evil",
    "artefact/models/../../../evil.safetensors",
    "artefact//evil.safetensors",
    "artefact\\evil.safetensors",
    "C:\\evil",
    "artefact/models/",
    "artefact/evil.py",
    "artefact/évil.safetensors",
    "artefact/evil.safetensors\n",
    "export.json/evil",
    "artefact/manifest.json/evil.safetensors",
    "artefact/" + "models/a/" * 300 + "model.safetensors",
)


@pytest.mark.parametrize("name", HOSTILE)
def test_names_that_are_no_parts_are_refused(name: str, file: Path, home: Workspace, installed: Registry) -> None:
    packed(file, [*parts(file).items(), (name, b"evil")])
    refused(home, installed, file)
    assert not (home.workspace.parent / "evil").exists()
    assert not list(home.workspace.parent.rglob("*evil*"))


@pytest.mark.parametrize(
    "kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFDIR, stat.S_IFSOCK, 0]
)
def test_links_and_devices_are_refused(kind: int, file: Path, home: Workspace, installed: Registry) -> None:
    found = parts(file)
    link = regular("artefact/model.safetensors", kind | 0o777)
    packed(file, [*list(found.items())[:3], (link, b"/etc/passwd")])
    assert "is no part of an export" in refused(home, installed, file)


def test_a_name_that_stands_twice_is_refused(file: Path, home: Workspace, installed: Registry) -> None:
    found = list(parts(file).items())
    with pytest.warns(UserWarning, match="Duplicate name"):
        packed(file, [*found, found[-1]])
    assert "stands there twice" in refused(home, installed, file)


def test_a_packed_part_is_refused_before_it_is_unpacked(file: Path, home: Workspace, installed: Registry) -> None:
    bomb = [*list(parts(file).items())[:3], ("artefact/model.safetensors", b"\0" * 50_000_000)]
    packed(file, bomb, compression=zipfile.ZIP_DEFLATED)
    assert file.stat().st_size < 200_000
    assert "is packed or encrypted" in refused(home, installed, file)


def test_parts_that_overlap_are_refused(file: Path, home: Workspace, installed: Registry) -> None:
    """Each entry of the list points to the same bytes, so that a small file would unpack to a large one."""
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(regular("export.json"), b"\0" * 100_000)
        first = archive.infolist()[0]
        for number in range(200):
            entry = regular(f"artefact/a{number}.safetensors")
            entry.header_offset, entry.CRC = first.header_offset, first.CRC
            entry.file_size = entry.compress_size = first.file_size
            archive.filelist.append(entry)
            archive.NameToInfo[entry.filename] = entry
        archive._didModify = True
    assert "larger than the file" in refused(home, installed, file)


def test_too_many_entries_are_refused_before_they_are_listed(
    file: Path, home: Workspace, installed: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed(file, [(f"artefact/a{number}.safetensors", b"") for number in range(bundle.MOST_FILES + 1)])
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert "its list of files does not fit" in refused(home, installed, file)


def test_a_large_archive_of_other_programs_is_refused(file: Path, home: Workspace, installed: Registry) -> None:
    """The record of archives above 4 GB, whose numbers would replace those that were checked."""
    whole = file.read_bytes()
    *end, offset, comment = bundle.END.unpack(whole[-22:])
    end_after = bundle.END.pack(*end, offset + 20, comment)
    file.write_bytes(whole[:-22] + struct.pack("<4sLQL", b"PK\6\7", 0, 0, 1) + end_after)
    assert "it is no file of `anomalo export`" in refused(home, installed, file)


def resealed(file: Path, **changes: Any) -> None:
    """Change facts of an export as its maker could: with right checksums."""
    found = parts(file)
    found["export.json"] = sealed({**json.loads(found["export.json"]), **changes})
    packed(file, list(found.items()))


@pytest.mark.parametrize(
    "changes",
    [
        {"name": "../evil"},
        {"name": "/etc/evil"},
        {"name": 7},
        {"version": "1"},
        {"source": "\x1b[2Jevil"},
        {"source": "x" * 5000},
        {"created": "yesterday"},
        {"created": None},
        {"lineage": []},
        {"lineage": {"who": ["ann"]}},
        {"lineage": {"who": "a\nb"}},
        {"lineage": {"metrics": {"skill": "high"}}},
        {"lineage": {"metrics": [1]}},
        {"lineage": {"metrics": {"a\x1b": 1.0}}},
    ],
)
def test_facts_that_no_export_has_are_refused(
    changes: dict[str, Any], file: Path, home: Workspace, installed: Registry
) -> None:
    resealed(file, **changes)
    refused(home, installed, file)


def test_an_export_of_a_newer_format_asks_for_an_update(file: Path, home: Workspace, installed: Registry) -> None:
    resealed(file, format=bundle.FORMAT + 1)
    assert refused(home, installed, file).endswith("update anomalo")


def remade(file: Path, name: str, change: Callable[[Any], bytes]) -> None:
    """Replace a part of the artefact, and seal it again, as its maker could."""
    found = parts(file)
    found[name] = change(found[name])
    manifest = json.loads(found["artefact/manifest.json"])
    for part, content in found.items():
        if part.endswith(".safetensors"):
            manifest["files"][part.removeprefix("artefact/")] = {"bytes": len(content), "sha256": digest(content)}
    found["artefact/manifest.json"] = sealed(manifest)
    document = json.loads(found["export.json"])
    found["export.json"] = sealed(document | {"manifest": digest(found["artefact/manifest.json"])})
    packed(file, list(found.items()))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 8,
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 10**9) + b"{}",
        struct.pack("<Q", 60) + b'{"a":{"dtype":"F32","shape":[9999999999],"data_offsets":[0,4]}}'[:60],
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 50_000) + b"[" * 50_000,
    ],
)
def test_weights_that_lie_about_their_size_are_refused(
    content: bytes, file: Path, home: Workspace, installed: Registry
) -> None:
    remade(file, "artefact/model.safetensors", lambda _: content)
    refused(home, installed, file)


@pytest.mark.parametrize(
    "changes",
    [
        {"model": "absent"},
        {"model": 7},
        {"schema": None},
        {"encoding": {}},
        {"parameters": {"latent": "many"}},
        {"plugins": {}},
        {"plugins": {"linear": {"plugin": "os", "distribution": "", "version": ""}}},
        {"plugins": {"linear": {"plugin": "class os.system", "distribution": "", "version": ""}}},
        {"rows": "many"},
        {"state": {"models": {"../../evil": {}}, "values": {}}},
        {"arrays": ["../../evil"]},
        {"arrays": []},
    ],
)
def test_a_manifest_that_is_sealed_but_no_models_is_refused(
    changes: dict[str, Any], file: Path, home: Workspace, installed: Registry
) -> None:
    def change(content: bytes) -> bytes:
        return sealed({**json.loads(content), **changes})

    remade(file, "artefact/manifest.json", change)
    refused(home, installed, file)


def test_a_manifest_that_is_not_the_one_described_is_refused(file: Path, home: Workspace, installed: Registry) -> None:
    found = parts(file)
    found["artefact/manifest.json"] = sealed({**json.loads(found["artefact/manifest.json"]), "seed": 7})
    packed(file, list(found.items()))
    assert "is not the one that export.json describes" in refused(home, installed, file)


@pytest.mark.parametrize("missing", ENTRIES)
def test_a_part_that_is_missing_is_named(missing: str, file: Path, home: Workspace, installed: Registry) -> None:
    packed(file, [(name, content) for name, content in parts(file).items() if name != missing])
    assert Path(missing).name in refused(home, installed, file)


def test_other_files_are_refused(tables: Path, tmp_path: Path, home: Workspace, installed: Registry) -> None:
    plain = packed(tmp_path / "plain.zip", [("a.txt", b"a")])
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(tmp_path / "pipe")
    for other in (plain, tables / "patients.csv", folder, tmp_path / "pipe", tmp_path / "absent"):
        refused(home, installed, other)


def test_a_name_that_is_not_allowed_is_refused_before_the_file_is_read(home: Workspace, installed: Registry) -> None:
    with pytest.raises(UsageError, match=r"name '\.\./x': expected"):
        import_model(home, installed, Path("absent"), "../x")
    assert not home.workspace.exists()


def test_a_damaged_model_is_not_exported(store: Workspace, tmp_path: Path) -> None:
    path = store.model("small").path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ArtefactError, match="does not match its checksum"):
        export_model(store, "small", tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_an_export_that_would_be_too_large_or_cannot_be_written(
    store: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        export_model(store, "small", tmp_path / "absent" / "out.zip")
    monkeypatch.setattr(bundle, "LARGEST", 100)
    with pytest.raises(OutputError, match="an export holds at most 2 GB"):
        export_model(store, "small", tmp_path / "out.zip")
    assert not (tmp_path / "out.zip").exists()


def test_scores_of_numbers_are_kept_to_the_bit(file: Path, home: Workspace, installed: Registry) -> None:
    taken = artifacts.load(import_model(home, installed, file).path)
    kept = artifacts.load(ARTEFACT)
    for name, array in kept.state.arrays.items():
        np.testing.assert_array_equal(taken.state.arrays[name], array)
