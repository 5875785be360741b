import json
import random
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from anomalo.errors import AnomaloError, ArtefactError, OutputError, UnknownModelError, UsageError
from anomalo.persistence.resume import ResumableState, resumable_state
from anomalo.plugin import ModelState
from anomalo.workspace import artifacts
from anomalo.workspace.workspace import ModelRecord, RunRecord, Workspace

FACTS: dict[str, Any] = {
    "model": "knn",
    "plugin": "baselines",
    "source": "a.csv",
    "rows": 10,
    "columns": 3,
    "seconds": 0.5,
    "summary": {"auroc": 0.9, "columns": ["ä"]},
}


def write_model(folder: Path) -> None:
    artifacts.save(folder, {}, ModelState(arrays={"a_": np.arange(3)}))


def write_run(folder: Path) -> None:
    (folder / "scores.csv").write_text("row,score\n")


def add(store: Workspace, name: str = "fraud") -> ModelRecord:
    return store.add_model(name, write_model, **FACTS)


def add_run(store: Workspace, verb: str = "score", model: ModelRecord | None = None) -> RunRecord:
    return store.add_run(verb, write_run, model=model, source="b.csv", seconds=1.5, summary={"alerts": 3})


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.fixture
def store(tmp_path: Path) -> Workspace:
    return Workspace(tmp_path / "workspace")


def test_versions_count_up_and_keep_their_facts(store: Workspace) -> None:
    before = datetime.now(UTC) - timedelta(seconds=1)
    first, second = add(store), add(store)
    assert (first.version, second.version, add(store, "other").version) == (1, 2, 1)
    assert (second.name, second.reference, second.tags) == ("fraud", "fraud@2", ())
    assert {name: getattr(second, name) for name in FACTS} == FACTS
    assert second.path == store.workspace / "models" / "fraud" / "2"
    np.testing.assert_array_equal(artifacts.load(second.path).state.arrays["a_"], np.arange(3))
    assert before <= datetime.fromisoformat(second.created) <= datetime.now(UTC)
    assert store.models() == [first, second, store.model("other")]
    assert store.models("fraud") == [first, second]
    assert store.models("absent") == []


def test_a_reference_means_the_latest_a_version_or_a_tag(store: Workspace) -> None:
    for _ in range(11):
        add(store)
    assert store.model("fraud").version == 11
    assert store.model("fraud@3").version == 3
    assert store.tag("fraud@3", "production").tags == ("production",)
    assert store.model("fraud@production") == store.model("fraud@3")
    store.tag("fraud", "production")
    store.tag("fraud@production", "best")
    assert store.model("fraud@production").version == 11
    assert store.model("fraud").tags == ("best", "production")
    assert store.model("fraud@3").tags == ()


def test_an_unknown_reference_lists_what_there_is(store: Workspace) -> None:
    add(store, "fraud"), add(store, "thyroid"), add(store, "fraud")
    store.tag("fraud@1", "production")
    wrong = {
        "froud": r"no saved model is named 'froud'; did you mean 'fraud'\? there are: fraud, thyroid",
        "xyz@1": "no saved model is named 'xyz'; there are: fraud, thyroid",
        "fraud@7": "no version or tag of 'fraud' is named '7'; there are: 1, production, 2",
        "fraud@prduction": r"did you mean 'production'\?",
        "fraud@": "is named ''",
        "fraud@1@2": "is named '1@2'",
        "": "is named ''",
    }
    for reference, message in wrong.items():
        with pytest.raises(UnknownModelError, match=message):
            store.model(reference)
        with pytest.raises(UnknownModelError):
            store.tag(reference, "tag")


@pytest.mark.parametrize("name", ["", "a b", "a/b", "../a", "..", ".", ".a", "-a", "a@1", "é", "a\n", "a" * 101])
def test_names_that_are_refused(store: Workspace, name: str) -> None:
    with pytest.raises(UsageError, match="expected 1 to 100 letters"):
        add(store, name)
    with pytest.raises(UsageError, match="expected 1 to 100 letters"):
        add_run(store, name)
    assert not store.workspace.exists()


@pytest.mark.parametrize("name", ["a", "A-1_b.c", "3", "_x", "a" * 100])
def test_names_that_are_allowed(store: Workspace, name: str) -> None:
    Workspace.check_name(name)
    assert add(store, name).name == name


def test_a_tag_that_looks_like_a_version_is_refused(store: Workspace) -> None:
    add(store)
    with pytest.raises(UsageError, match="a number would be taken for a version"):
        store.tag("fraud", "2")
    with pytest.raises(UsageError, match="tag 'a@b': expected"):
        store.tag("fraud", "a@b")


def test_runs_are_numbered_and_keep_their_facts(store: Workspace) -> None:
    model = add(store)
    first, second = add_run(store, "score", model), add_run(store, "impute")
    assert (first.id, second.id) == ("0001-score", "0002-impute")
    assert (first.model, second.model) == ("fraud@1", None)
    facts = (first.verb, first.source, first.seconds, first.summary, first.status)
    assert facts == ("score", "b.csv", 1.5, {"alerts": 3}, "done")
    assert first.path == store.workspace / "runs" / "0001-score"
    assert (first.path / "scores.csv").read_text() == "row,score\n"
    assert store.runs() == [first, second]
    assert store.run("0002-impute") == second


def test_a_table_is_recorded_with_its_folder(store: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "b.csv").write_text("a\n1\n")
    for source, recorded in (
        ("b.csv", str(tmp_path / "b.csv")),
        ("absent.csv", "absent.csv"),
        ("s3://b/c", "s3://b/c"),
    ):
        assert store.add_run("score", write_run, model=None, source=source).source == recorded


def test_a_job_that_streams_into_its_run_says_afterwards_what_it_found(store: Workspace) -> None:
    def work(folder: Path) -> dict[str, Any]:
        assert store.runs() == []
        time.sleep(0.05)
        write_run(folder)
        return {"rows": 7}

    started = time.perf_counter()
    run = store.add_run("score", work, model=None, source="a.csv", summary={"share": 0.01})
    took = time.perf_counter() - started
    assert run.summary == {"share": 0.01, "rows": 7}
    assert 0.05 <= run.seconds <= took
    with pytest.raises(AnomaloError, match=r"summary\.loss is inf"):
        store.add_run("score", lambda folder: {"loss": float("inf")}, model=None, source="")
    assert [path.name for path in (store.workspace / "runs").iterdir()] == [run.id]


def test_an_unknown_run_is_a_usage_error_with_a_guess(store: Workspace) -> None:
    with pytest.raises(UsageError, match=r"no run is named '1'; there is: none in .*workspace"):
        store.run("1")
    add_run(store)
    with pytest.raises(UsageError, match=r"did you mean '0001-score'\? there is: 0001-score") as caught:
        store.run("001-score")
    assert caught.value.exit_code == 2


def test_records_are_json_ready(store: Workspace) -> None:
    store.tag(add(store).reference, "best")
    record = json.loads(json.dumps(store.model("fraud").to_json(), allow_nan=False))
    assert record["reference"] == "fraud@1"
    assert record["tags"] == ["best"]
    assert record["path"] == str(store.workspace / "models" / "fraud" / "1")
    assert json.loads(json.dumps(add_run(store).to_json()))["id"] == "0001-score"


def test_a_summary_that_json_cannot_hold_is_refused_before_anything_is_written(store: Workspace) -> None:
    with pytest.raises(AnomaloError, match=r"summary\.auroc is nan"):
        store.add_model("fraud", write_model, **FACTS | {"summary": {"auroc": float("nan")}})
    assert not store.workspace.exists()


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, OutputError])
def test_a_failing_writer_leaves_neither_folder_nor_entry(store: Workspace, failure: type[BaseException]) -> None:
    def fail(folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "half").touch()
        raise failure("mine")

    with pytest.raises(failure, match="mine"):
        store.add_model("fraud", fail, **FACTS)
    with pytest.raises(failure, match="mine"):
        store.add_run("score", fail, model=None, source="", seconds=0, summary={})
    assert tree(store.workspace) == ["anomalo.db", "models"]
    assert store.models() == []
    assert store.runs() == []
    assert add(store).version == 1
    assert add_run(store).id == "0001-score"


def test_a_failing_writer_leaves_the_other_versions(store: Workspace) -> None:
    def fail(_: Path) -> None:
        raise RuntimeError

    first = add(store)
    with pytest.raises(RuntimeError):
        store.add_model("fraud", fail, **FACTS)
    assert store.models() == [first]
    assert artifacts.load(first.path)


def test_an_extended_model_is_the_same_version_in_another_folder(store: Workspace) -> None:
    before, other = add(store), add(store)
    store.tag(before.reference, "live")
    after = store.extend_model(before, write_other, seconds=2.5, summary={"auroc": 1.0})
    assert (after.reference, after.created, after.seconds) == (before.reference, before.created, 2.5)
    assert after.summary == {"auroc": 1.0}
    assert store.model("fraud@live") == after
    assert artifacts.load(after.path).state.arrays["a_"].tolist() == [7.0]
    assert not before.path.exists()
    assert store.model(other.reference) == other
    again = store.extend_model(after, write_model, seconds=3.0, summary={})
    assert artifacts.load(again.path).state.arrays["a_"].tolist() == [0, 1, 2]
    assert not after.path.exists()
    assert add(store).version == 3


def write_other(folder: Path) -> None:
    artifacts.save(folder, {}, ModelState(arrays={"a_": np.array([7.0])}))


@pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("late", [False, True])
def test_a_model_whose_extension_cannot_be_written_stays_as_it_was(
    store: Workspace, failure: type[BaseException], late: bool
) -> None:
    record = add(store)
    files = tree(store.workspace / "models")

    def fails(folder: Path) -> None:
        if late:
            write_other(folder)
        raise failure("disk on fire")

    with pytest.raises(failure, match="disk on fire"):
        store.extend_model(record, fails, seconds=9.0, summary={})
    assert store.model("fraud") == record
    assert tree(store.workspace / "models") == files
    assert artifacts.load(record.path).state.arrays["a_"].tolist() == [0, 1, 2]


def test_a_summary_that_json_cannot_hold_leaves_the_model_as_it_was(store: Workspace) -> None:
    record = add(store)
    with pytest.raises(AnomaloError):
        store.extend_model(record, write_other, seconds=9.0, summary={"model": object()})
    assert store.model("fraud") == record
    assert artifacts.load(record.path).state.arrays["a_"].tolist() == [0, 1, 2]


def test_what_a_killed_extension_left_is_no_obstacle(store: Workspace) -> None:
    record = add(store)
    left = record.path.with_name(f"{record.path.name}.extended")
    left.mkdir()
    (left / "half").write_text("")
    after = store.extend_model(record, write_other, seconds=1.0, summary={})
    assert not (after.path / "half").exists()
    assert artifacts.load(after.path).state.arrays["a_"].tolist() == [7.0]


def test_a_writer_that_writes_nothing_is_noticed(store: Workspace) -> None:
    with pytest.raises(OutputError, match="nothing was written there"):
        store.add_model("fraud", lambda folder: None, **FACTS)
    assert store.models() == []


def test_an_entry_is_not_shown_before_its_folder_is_whole(store: Workspace) -> None:
    seen: list[object] = []

    def look(folder: Path) -> None:
        assert folder == store.workspace / "models" / "fraud" / "2"
        seen.extend([store.models(), add(store).version])  # another writer meanwhile
        write_model(folder)

    first = add(store)
    assert store.add_model("fraud", look, **FACTS).version == 2
    assert seen == [[first], 3]


def test_a_killed_writer_does_not_block_the_next(store: Workspace) -> None:
    script = (
        "import os, sys, pathlib\n"
        "from anomalo.workspace.workspace import Workspace\n"
        "Workspace(pathlib.Path(sys.argv[1])).add_run('score', lambda folder: os._exit(9), model=None, source='',"
        " seconds=0, summary={})\n"
    )
    assert subprocess.run([sys.executable, "-c", script, str(store.workspace)], check=False).returncode == 9
    assert store.runs() == []
    assert add_run(store).id == "0002-score"


def test_a_killed_job_keeps_its_run(store: Workspace) -> None:
    def keep(job: ResumableState, content: str) -> RunRecord:
        def write(folder: Path) -> None:
            (folder / "scores.csv").write_text(content)

        return store.add_run("score", write, model=None, source="a.csv", job=job)

    def left(folder: Path) -> list[str]:
        with suppress(KeyboardInterrupt), resumable_state(folder, {}, resume=True) as job:
            runs.append(keep(job, f"attempt {job.attempts}"))
            before.append(job.seconds_before)
            raise KeyboardInterrupt
        return [run.id for run in store.runs()]

    folder, runs, before = store.workspace / "resumable" / "job", list[RunRecord](), list[float]()
    for _ in range(2):
        assert left(folder) == ["0001-score"]
        (store.workspace / "runs" / f".job.{len(runs)}").mkdir()
    assert (runs[0].path / "scores.csv").read_text() == "attempt 2"
    assert runs[1].created == runs[0].created
    assert runs[1].seconds > before[1] > before[0] == 0
    # Another job does not replace it, even if it has the number of one that failed.
    with suppress(ZeroDivisionError), resumable_state(folder, {}, resume=True) as job:
        store.add_run("score", lambda folder: {"share": 1 / 0}, model=None, source="", job=job)
    assert add_run(store).id == "0001-score"
    assert left(folder) == ["0001-score", "0002-score"]
    assert tree(store.workspace / "runs") == [
        "0001-score",
        "0001-score/scores.csv",
        "0002-score",
        "0002-score/scores.csv",
    ]


def test_reading_an_absent_or_empty_workspace_creates_nothing(store: Workspace) -> None:
    for _ in range(2):
        assert store.models() == []
        assert store.runs() == []
        with pytest.raises(UnknownModelError, match="none in"):
            store.model("fraud")
        assert not store.workspace.exists() or tree(store.workspace) == []
        store.workspace.mkdir(exist_ok=True)


def test_a_moved_workspace_works(store: Workspace) -> None:
    add(store), add_run(store)
    moved = Workspace(store.workspace.rename(store.workspace.with_name("moved")))
    assert artifacts.load(moved.model("fraud").path)
    assert (moved.run("0001-score").path / "scores.csv").exists()
    assert add(moved).version == 2


def test_a_lost_database_does_not_cost_the_folders(store: Workspace) -> None:
    first, run = add(store), add_run(store)
    (store.workspace / "anomalo.db").unlink()
    assert store.models() == []
    assert add(store).version == 2
    assert add_run(store, "fit").id == "0002-fit"
    assert artifacts.load(first.path)
    assert run.path.is_dir()


def test_another_database_by_url(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'elsewhere.db'}"
    store = Workspace(tmp_path / "workspace", url)
    assert store.models() == []
    assert tree(tmp_path) == []
    add(store)
    assert Workspace(tmp_path / "workspace", url).model("fraud").version == 1
    assert not (tmp_path / "workspace" / "anomalo.db").exists()
    for wrong in ("nonsense", "nosuchdatabase://x"):
        with pytest.raises(UsageError, match="the database's URL cannot be used"):
            Workspace(tmp_path, wrong)


@pytest.mark.slow
def test_several_processes_get_different_numbers(store: Workspace) -> None:
    script = """
import pathlib, sys, time
from anomalo.workspace import artifacts
from anomalo.plugin import ModelState
from anomalo.workspace.workspace import Workspace
store, facts = Workspace(pathlib.Path(sys.argv[1])), dict(source="", seconds=0, summary={})
print("ready", flush=True)
sys.stdin.readline()
for _ in range(6):
    store.add_model("fraud", lambda folder: artifacts.save(folder, {}, ModelState()), model=sys.argv[2], plugin="",
                    rows=1, columns=1, **facts)
    store.add_run("score", lambda folder: None, model=store.model("fraud"), **facts)
"""
    command = [sys.executable, "-W", "error", "-c", script, str(store.workspace)]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    workers = [subprocess.Popen([*command, str(worker)], text=True, **pipes) for worker in range(4)]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n"
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    assert [worker.communicate()[1] for worker in workers] == [""] * 4
    records = store.models("fraud")
    assert [record.version for record in records] == list(range(1, 25))
    assert sorted(record.model for record in records) == sorted("0123" * 6)
    assert [record.id for record in store.runs()] == [f"{number:04}-score" for number in range(1, 25)]
    assert all(artifacts.load(record.path) for record in records)
    assert len(tree(store.workspace / "runs")) == 24


def test_several_threads_may_share_a_store(store: Workspace) -> None:
    threads = [threading.Thread(target=add, args=(store,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [record.version for record in store.models()] == [1, 2, 3, 4]


def test_prepare_makes_the_workspace(store: Workspace) -> None:
    store.prepare()
    store.prepare()
    assert tree(store.workspace) == ["anomalo.db"]
    assert store.models() == []


def test_a_workspace_that_is_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("precious")
    for store in (Workspace(tmp_path / "file"), Workspace(tmp_path / "file" / "inner")):
        for action in (store.prepare, store.models, store.runs, lambda store=store: add(store)):
            with pytest.raises(OutputError, match=r"cannot use the workspace .*file.*; give a folder"):
                action()
    assert (tmp_path / "file").read_text() == "precious"


@pytest.mark.parametrize("only_the_folder", [True, False])
def test_a_read_only_workspace_can_be_read_but_not_written(
    tmp_path: Path, only_the_folder: bool, request: pytest.FixtureRequest
) -> None:
    store = Workspace(tmp_path / "workspace")
    model = add(store)
    before = tree(tmp_path)
    (store.workspace / "anomalo.db").chmod(0o644 if only_the_folder else 0o444)
    store.workspace.chmod(0o555)
    tmp_path.chmod(0o555)
    request.getfixturevalue("permissions_apply")
    assert store.models() == [model]
    for action in (store.prepare, lambda: add(store), lambda: add_run(store)):
        with pytest.raises(OutputError) as caught:
            action()
        assert "\n" not in str(caught.value)
        assert str(store.workspace) in str(caught.value)
    with pytest.raises(OutputError, match="Permission denied"):
        Workspace(tmp_path / "new").prepare()
    assert tree(tmp_path) == before
    tmp_path.chmod(0o755)


def test_a_locked_database_is_an_output_error(store: Workspace) -> None:
    add(store)
    waiting_not = Workspace(store.workspace, busy_seconds=0)
    other = sqlite3.connect(store.workspace / "anomalo.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    with pytest.raises(OutputError, match="database is locked"):
        waiting_not.prepare()
    assert len(waiting_not.models()) == 1, "readers wait for no writer"
    other.close()


@pytest.mark.parametrize("content", [b"not a database " * 1000, b"SQLite format 3\0" + b"\0" * 5000])
def test_a_file_that_is_no_database_is_an_artefact_error(store: Workspace, content: bytes) -> None:
    add(store)
    (store.workspace / "anomalo.db").write_bytes(content)
    for action in (store.models, store.runs, store.prepare, lambda: add(store)):
        with pytest.raises(ArtefactError, match=r"anomalo\.db: the database is damaged.*restore it from a copy"):
            action()
    assert [path.name for path in (store.workspace / "models" / "fraud").iterdir()] == ["1"]


def test_a_database_of_another_version_is_an_artefact_error(store: Workspace) -> None:
    add(store)
    connection = sqlite3.connect(store.workspace / "anomalo.db")
    connection.execute("ALTER TABLE models DROP COLUMN plugin")
    connection.close()
    with pytest.raises(ArtefactError, match="of another version of anomalo"):
        store.models()


def test_a_damaged_database_never_shows_a_traceback(store: Workspace) -> None:
    add(store), add_run(store)
    path = store.workspace / "anomalo.db"
    whole = path.read_bytes()
    rng = random.Random(0)
    used = [offset for offset, byte in enumerate(whole) if byte]
    for offset in rng.sample(used, 150):
        path.write_bytes(whole[:offset] + bytes([whole[offset] ^ (1 << rng.randrange(8))]) + whole[offset + 1 :])
        for action in (store.models, store.runs):
            with suppress(ArtefactError):
                action()
    path.write_bytes(whole[:4096])  # the first page alone
    with pytest.raises(ArtefactError, match="the database is damaged"):
        store.models()


def test_importing_anomalo_leaves_the_database_library_out() -> None:
    script = "import sys, anomalo, anomalo.plugin; sys.exit('sqlalchemy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
