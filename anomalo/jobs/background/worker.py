"""The process of a background job: runs its commands one after another and records the progress."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import BinaryIO

from anomalo.errors import OutputError
from anomalo.jobs.background.commands import DONE, INTERRUPTED, arguments, ended, environment, event, printed
from anomalo.jobs.background.queue import job
from anomalo.jobs.background.state import COMMAND, LOG, OUTPUT, STOP, State, held


class Worker:
    """Runs one job, from the step that its state names.

    Parameters
    ----------
    folder : Path
        The job's.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.workspace = folder, folder.parent.parent
        self.commands = job(self.workspace, folder.name).commands
        self.state = State.load(folder)
        self._before, self._started = self.state.seconds, time.monotonic()
        self._process: subprocess.Popen[bytes] | None = None
        self._pending = False

    def work(self) -> None:
        """Run the commands that are not done yet."""
        signal.signal(signal.SIGTERM, self._stop)
        # The command of an earlier worker that was killed may still be running: it must end first.
        with held(self.folder / COMMAND) as turn, (self.folder / LOG).open("ab", buffering=0) as log:
            while self.state.status == "running":
                self._step(log, turn)
                self._save()

    def _step(self, log: BinaryIO, turn: int) -> None:
        state = self.state
        state.share, state.text, state.left, state.message = 0.0, "", None, ""
        code = INTERRUPTED if self._asked_to_stop() else self._run(self.commands[state.step], log, turn)
        if code in DONE:
            self._next(code)
        elif code == INTERRUPTED or self._asked_to_stop():
            state.status, state.exit_code = "stopped", INTERRUPTED
        else:
            state.status, state.exit_code = "failed", code
            state.message = state.message or ended(code)

    def _next(self, code: int) -> None:
        state = self.state
        self._warn(state.message)  # a gate that was hit is not a failure
        state.message = ""
        state.results.append(printed((self.folder / OUTPUT).read_bytes()))
        state.exit_code = max(code, state.exit_code or 0)
        if state.step + 1 < len(self.commands):
            state.step += 1
        else:
            state.status, state.share = "done", 1.0

    def _run(self, command: Sequence[str], log: BinaryIO, turn: int) -> int:
        self._save()
        self._process = None
        _note(log, f"$ anomalo {shlex.join(command)}\n".encode())
        with (self.folder / OUTPUT).open("wb") as output:
            process = subprocess.Popen(
                arguments(command),
                env=environment(self.workspace),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
                process_group=0,
                pass_fds=[turn],
            )
        self._process = process
        if self._pending:  # the signal came while the command was being started
            self._interrupt()
        assert process.stderr is not None
        with process.stderr as lines:
            for line in lines:
                _note(log, line)
                self._hear(line)
        return process.wait()

    def _hear(self, line: bytes) -> None:
        found = event(line)
        if found.level == "progress":
            self.state.share, self.state.text, self.state.left = found.share, found.message, found.left
        elif found.level == "warning":
            self._warn(found.message)
        elif found.level == "error":
            self.state.message = found.message
        else:
            return
        self._save()

    def _warn(self, text: str) -> None:
        if text and text not in self.state.warnings:
            self.state.warnings.append(text)

    def _save(self) -> None:
        self.state.seconds = self._before + time.monotonic() - self._started
        with suppress(OutputError):  # a full disk for a moment must not end a long job
            self.state.save(self.folder)

    def _asked_to_stop(self) -> bool:
        return (self.folder / STOP).exists()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        with suppress(OSError):  # on a full disk the command is interrupted all the same
            (self.folder / STOP).touch()
        self._interrupt()

    def _interrupt(self) -> None:
        """Forward a signal once: a second one would disturb a command that is cleaning up."""
        self._pending = self._process is None
        if self._process is not None and self._process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGTERM)


def _note(log: BinaryIO, line: bytes) -> None:
    with suppress(OSError):  # a full disk must not end the command
        log.write(line)


if __name__ == "__main__":
    Worker(Path(sys.argv[1])).work()
