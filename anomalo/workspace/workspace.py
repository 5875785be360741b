"""The workspace: saved models with versions and tags, and runs, in folders that a database lists."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, func, select

from anomalo.errors import AnomaloError, OutputError, UnknownModelError, UsageError, did_you_mean
from anomalo.persistence.atomic import atomic_folder, require_writable
from anomalo.persistence.resume import ResumableState, discarding
from anomalo.workspace.activity import Activity, latest, note
from anomalo.workspace.artifacts import json_ready, read_manifest
from anomalo.workspace.database import BUSY_SECONDS, DONE, WRITING, Database, ModelRow, RunRow, TagRow
from anomalo.workspace.decisions import Decisions
from anomalo.workspace.entries import entry_facts, highest_number, killed_entry, model_record, run_record
from anomalo.workspace.records import ModelRecord, RunRecord, TagMove
from anomalo.workspace.removal import is_being_written, remove
from anomalo.workspace.reviews import Reviews
from anomalo.workspace.versions import Versions, inherited_threshold, latest_in_use, move_tag, tag_moves

__all__ = ["ModelRecord", "RunRecord", "TagMove", "Workspace"]


class Workspace:
    """A workspace folder: `models/<name>/<version>`, `runs/<id>` and the database that lists them.

    Several processes may use one workspace at once. Reading creates nothing; the first write creates the
    folder and the database.

    Parameters
    ----------
    workspace : Path
        The folder.
    database : str or sqlalchemy.URL, optional
        Another database than the SQLite file `anomalo.db` in the workspace.
    busy_seconds : float
        How long to wait for another process that writes into the SQLite file.

    Raises
    ------
    UsageError
        The database URL cannot be read, or its driver is not installed.
    OutputError
        From any method: the workspace is a file, or cannot be written or reached.
    ArtefactError
        From any method: the database is damaged.
    """

    def __init__(self, workspace: Path, database: str | URL | None = None, busy_seconds: float = BUSY_SECONDS) -> None:
        self.workspace = Path(workspace)
        self._database = Database(self.workspace, database, busy_seconds)

    @property
    def reviews(self) -> Reviews:
        """What analysts say of the rows of runs."""
        return Reviews(self._database)

    @property
    def decisions(self) -> Decisions:
        """What people decide about the cells that runs suggest to change."""
        return Decisions(self._database)

    @property
    def versions(self) -> Versions:
        """What people decide about versions of saved models."""
        return Versions(self._database)

    def prepare(self) -> None:
        """Create the workspace and its database now, so that a long job fails at its start, not at its end."""
        with self._database.writing():
            require_writable(self.workspace / "models.probe")

    @staticmethod
    def check_name(name: str, what: str = "name") -> None:
        """Refuse names that are not valid for a folder, or that a reference cannot distinguish from a version.

        Raises
        ------
        UsageError
            The name is not 1 to 100 letters, digits, `-`, `_` or `.`, or begins with `-` or `.`.
        """
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", name):
            raise UsageError(
                f"{what} {name!r}: expected 1 to 100 letters (a to z), digits, '-', '_' or '.', "
                "beginning with a letter, a digit or '_'"
            )

    def add_model(
        self,
        name: str,
        write: Callable[[Path], None],
        *,
        model: str,
        plugin: str,
        source: str,
        rows: int,
        columns: int,
        seconds: float,
        summary: Mapping[str, Any],
        job: ResumableState | None = None,
        verb: str = "fit",
    ) -> ModelRecord:
        """Save the next version of a model.

        Parameters
        ----------
        name : str
            See `check_name`.
        write : callable
            Called with the folder's final path, which does not exist yet; must create it atomically, as
            `artifacts.save` does. If it fails, neither folder nor entry is left.
        model, plugin, source, rows, columns, seconds, summary
            As in `ModelRecord`.
        job : ResumableState, optional
            The job that fitted the model. If it was killed while it saved the model, that version is replaced.
        verb : str
            What was done, for the log of activities.

        Raises
        ------
        UsageError
            The name is not allowed.
        """
        self.check_name(name)
        facts = entry_facts(source, seconds, summary)
        with self._database.writing() as session:
            row = killed_entry(session, ModelRow, "model", job)
            if row is None:
                latest = session.scalar(select(func.max(ModelRow.version)).where(ModelRow.name == name))
                version = 1 + max(latest or 0, highest_number(self.workspace / "models" / name))
                path = f"models/{name}/{version}"
                row = ModelRow(
                    name=name, version=version, path=path, model=model, plugin=plugin, rows=rows, columns=columns
                )
                row.threshold = inherited_threshold(session, name)
                session.add(row)
            for fact, value in facts.items():
                setattr(row, fact, value)
            version = row.version
        if job is not None:
            job.save("model", {}, {name: getattr(row, name) for name in ("name", "version", "created")})
            shutil.rmtree(self.workspace / row.path, ignore_errors=True)
        self._fill(row, write, verb, f"{name}@{version}", model)
        return self.model(f"{name}@{version}")

    def extend_model(
        self, record: ModelRecord, write: Callable[[Path], None], *, seconds: float, summary: Mapping[str, Any]
    ) -> ModelRecord:
        """Replace a saved model by what it became by a further fit: the same version, another folder.

        If `write` fails, the version stays as it was. The other parameters are as for `add_model`.
        """
        before = record.path
        after = before.with_name(f"{before.name}.extended")
        shutil.rmtree(after, ignore_errors=True)  # what a killed process left
        try:
            write(after)
            with self._database.writing() as session:
                version = select(ModelRow).filter_by(name=record.name, version=record.version, status=DONE)
                row = session.scalar(version)
                if row is None:
                    raise UnknownModelError(f"{record.reference} was removed while it was fitted further; fit it again")
                row.path = str(after.relative_to(self.workspace))
                row.seconds, row.summary = float(seconds), json_ready(summary, "summary")
                note(session, "fit", record.reference, "further")
        except BaseException:
            shutil.rmtree(after, ignore_errors=True)
            raise
        shutil.rmtree(before, ignore_errors=True)
        return self.model(record.reference)

    def sweep_models(self, name: str) -> None:
        """Remove the incomplete versions of this name that killed fits left; only while no other fit of it runs."""
        with self._database.writing() as session:
            for row in session.scalars(select(ModelRow).where(ModelRow.name == name, ModelRow.status == WRITING)):
                shutil.rmtree(self.workspace / row.path, ignore_errors=True)
                session.delete(row)
        for folder in (self.workspace / "models" / name).glob(".*"):
            shutil.rmtree(folder, ignore_errors=True)

    def add_run(
        self,
        verb: str,
        write: Callable[[Path], Mapping[str, Any] | None],
        *,
        model: ModelRecord | None,
        source: str,
        seconds: float | None = None,
        summary: Mapping[str, Any] = {},
        job: ResumableState | None = None,
    ) -> RunRecord:
        """Keep the results of a job.

        Parameters
        ----------
        verb : str
            See `check_name`.
        write : callable
            Called with an empty temporary folder, which becomes the run's once it returns; what it returns
            is added to the summary. If it fails, neither folder nor entry is left.
        model, source, summary
            As in `RunRecord`.
        seconds : float, optional
            Default: how long `write` takes.
        job : ResumableState, optional
            The job whose results these are. If it was killed while it stored them, that run is replaced.
        """
        self.check_name(verb)
        facts = entry_facts(source, seconds or 0.0, summary)
        with self._database.writing() as session:
            row = killed_entry(session, RunRow, "run", job)
            if row is None:
                latest = session.scalar(select(func.max(RunRow.number)))
                number = 1 + max(latest or 0, highest_number(self.workspace / "runs"))
                identity, reference = f"{number:04}-{verb}", None if model is None else model.reference
                row = RunRow(number=number, id=identity, verb=verb, model=reference, path=f"runs/{identity}", **facts)
                session.add(row)
            row.status = WRITING
        if job is not None:
            job.save("run", {}, {name: getattr(row, name) for name in ("id", "created", "model", "source")})
            shutil.rmtree(self.workspace / row.path, ignore_errors=True)

        def write_whole(folder: Path) -> None:
            started = time.perf_counter()
            with atomic_folder(folder, job.folder.name if job else None) as temporary:
                row.summary = {**facts["summary"], **json_ready(write(temporary) or {}, "summary")}
            took = job.seconds if job else time.perf_counter() - started
            row.seconds = took if seconds is None else seconds

        self._fill(row, write_whole, verb, row.id, "" if model is None else model.reference)
        return self.run(row.id)

    def models(self, name: str | None = None) -> list[ModelRecord]:
        """Return all models, or all versions of one, by name and version."""
        query = select(ModelRow).where(ModelRow.status == DONE).order_by(ModelRow.name, ModelRow.version)
        with self._database.reading() as session:
            if session is None:
                return []
            tags: dict[tuple[str, int], list[str]] = {}
            for tag in session.scalars(select(TagRow).order_by(TagRow.tag)):
                tags.setdefault((tag.name, tag.version), []).append(tag.tag)
            rows = session.scalars(query if name is None else query.where(ModelRow.name == name))
            return [model_record(row, tags.get((row.name, row.version), []), self.workspace) for row in rows]

    def model(self, reference: str) -> ModelRecord:
        """Find a model: `name` (its latest version that is not retired), `name@version` or `name@tag`.

        Raises
        ------
        UnknownModelError
            There is none, and the message lists the known ones; or all versions are retired.
        """
        name, at, which = reference.partition("@")
        known = self.models()
        versions = [record for record in known if record.name == name]
        if not versions:
            raise UnknownModelError(self._unknown("saved model", name, [record.name for record in known]))
        if not at:
            return latest_in_use(versions)
        for record in versions:
            if which == str(record.version) or which in record.tags:
                return record
        choices = [choice for record in versions for choice in (str(record.version), *record.tags)]
        raise UnknownModelError(self._unknown(f"version or tag of {name!r}", which, choices))

    @staticmethod
    def manifest(record: ModelRecord) -> dict[str, Any]:
        """Return what a saved model's manifest says: its schema, parameters, warnings and training history.

        Raises
        ------
        ArtefactError
            It is absent, damaged or of another format.
        """
        return read_manifest(record.path)

    def tag(self, reference: str, tag: str) -> ModelRecord:
        """Give a version a name, such as `production`; raises as `move_tag` does."""
        move = self.move_tag(reference, tag)
        return self.model(f"{move.name}@{move.after}")

    def move_tag(self, reference: str, tag: str, *, remove: bool = False) -> TagMove:
        """Give a version a name, or take it from that version; a version that had it before loses it.

        Raises
        ------
        UnknownModelError
            The model does not exist.
        UsageError
            The tag is not allowed: a tag is no number, and else as `check_name` says. Or the version is retired, or
            has not the tag that is to be removed.
        """
        self.check_name(tag, "tag")
        if tag.isdecimal():
            raise UsageError(f"tag {tag!r}: a number would be taken for a version; use a name with a letter in it")
        record = self.model(reference)
        with self._database.writing() as session:
            return move_tag(session, record, tag, remove=remove)

    def tag_moves(self, name: str) -> list[TagMove]:
        """Return the history of a model's tags, oldest first: who moved which from what to what."""
        with self._database.reading() as session:
            return [] if session is None else tag_moves(session, name)

    def remove(self, records: Sequence[ModelRecord | RunRecord]) -> None:
        """Remove saved models or runs, all or none; raises as `removal.remove` does."""
        remove(self._database, self.workspace, records)

    def runs(self) -> list[RunRecord]:
        """Return all runs, oldest first."""
        with self._database.reading() as session:
            if session is None:
                return []
            rows = session.scalars(select(RunRow).where(RunRow.status == DONE).order_by(RunRow.number))
            return [run_record(row, self.workspace) for row in rows]

    def run(self, identity: str) -> RunRecord:
        """Find a run by its id, such as `0007-score`.

        Raises
        ------
        UsageError
            There is none; the message lists the latest.
        """
        known = {record.id: record for record in self.runs()}
        if identity in known:
            return known[identity]
        if is_being_written(self._database, identity):
            raise UsageError(f"run {identity} is not complete: a job is writing it, or was killed while it did")
        raise UsageError(self._unknown("run", identity, known))

    def activity(self, limit: int = 100) -> list[Activity]:
        """Return who did what: the last `limit` changes of the workspace, newest first."""
        with self._database.reading() as session:
            return [] if session is None else latest(session, limit)

    def discard(self, job: str) -> None:
        """Remove the state of an unfinished job, and what it was storing when it was killed.

        Raises
        ------
        UsageError
            There is no such job, or it is running.
        """
        with discarding(self.workspace / "unfinished" / job) as state, self._database.writing() as session:
            for row in (killed_entry(session, ModelRow, "model", state), killed_entry(session, RunRow, "run", state)):
                if row is not None and row.status == WRITING:
                    shutil.rmtree(self.workspace / row.path, ignore_errors=True)
                    session.delete(row)
            note(session, "rm", job, "unfinished job")

    def _unknown(self, what: str, requested: str, known: Iterable[str]) -> str:
        names = list(dict.fromkeys(known))
        guess = did_you_mean(requested, names) or ";"
        listed = ", ".join(names[-20:]) if names else f"none in {self.workspace}"
        return f"no {what} is named {requested!r}{guess} there {'are' if len(names) > 1 else 'is'}: {listed}"

    def _fill(
        self, row: ModelRow | RunRow, write: Callable[[Path], None], action: str, subject: str, details: str
    ) -> None:
        """Write the folder of an entry that has its number, then show the entry; on a failure remove both."""
        folder = self.workspace / row.path
        try:
            write(folder)
            if not folder.is_dir():
                raise OutputError(f"cannot keep {folder}: nothing was written there; `write` must make the folder")
            with self._database.writing() as session:
                session.merge(row).status = DONE
                note(session, action, subject, details, row.who)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            with suppress(OSError):
                folder.parent.rmdir()
            # The first failure is the one to report; an entry that stays behind is never shown.
            with suppress(AnomaloError), self._database.writing() as session:
                session.delete(session.merge(row))
            raise
