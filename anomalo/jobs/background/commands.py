"""Run `anomalo` commands as separate processes, and parse what they print."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from anomalo.errors import AnomaloError, GateError, InterruptedJobError

DONE = (0, GateError.exit_code)
"""The exit codes of a command that succeeded."""
INTERRUPTED = InterruptedJobError.exit_code


def arguments(command: Sequence[str]) -> list[str]:
    """Return the whole argument list of a command that prints and logs JSON."""
    # -P: a file in the working folder, such as csv.py, must not stand in for a module of that name.
    return [sys.executable, "-P", "-m", "anomalo", *command, "--json", "--log-json"]


def environment(workspace: Path | None) -> dict[str, str]:
    """Return the environment in which a command works on `workspace`."""
    # Not every verb has the option --workspace; a verb that has it reads this variable too.
    chosen = {} if workspace is None else {"ANOMALO_WORKSPACE": str(workspace.resolve())}
    return {**os.environ, **chosen}


class Event(NamedTuple):
    """One line of a command's log: "progress", "warning" or "error"; "" for any other line, as a plugin's print."""

    level: str = ""
    message: str = ""
    share: float = 0.0
    left: float | None = None
    """Seconds to the end of the command, where that can be estimated."""


def event(line: bytes) -> Event:
    """Read a line that a command wrote to stderr."""
    with suppress(ValueError, TypeError, KeyError):
        found = json.loads(line)
        level, message, left = str(found["level"]), str(found["message"]), found.get("seconds_left")
        return Event(level, message, float(found.get("share", 0.0)), None if left is None else float(left))
    return Event()


def printed(output: bytes) -> Any:
    """Return what a command printed, parsed; None if it is not JSON, as of a plugin's verb."""
    with suppress(ValueError):
        return json.loads(output)
    return None


def ask(*command: str, workspace: Path | None = None) -> Any:
    """Run a short command, such as `models`, and return what it prints as JSON.

    Parameters
    ----------
    *command : str
        Without the leading "anomalo".
    workspace : Path, optional
        Default: the one that the command line uses by default.

    Raises
    ------
    AnomaloError
        The command failed; the error has its message and its exit code.
    """
    done = subprocess.run(
        arguments(command), env=environment(workspace), stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode in DONE:
        return printed(done.stdout)
    errors = [found.message for found in map(event, done.stderr.splitlines()) if found.level == "error"]
    error = AnomaloError(errors[-1] if errors else ended(done.returncode))
    error.exit_code = done.returncode
    raise error


def ended(code: int) -> str:
    """Describe how a command ended that printed no error message."""
    if code >= 0:
        return f"the command ended with exit code {code} and no message"
    hint = "; the machine may be out of memory" if code == -9 else ""
    return f"the command was killed by signal {-code}{hint}"
