"""The guard around every call into a plugin's code: what fails there is the plugin's failure, and is named so."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from anomalo.errors import AnomaloError, PluginError, without_passwords

DISABLE = "ANOMALO_DISABLE_PLUGINS"
"""The environment variable that blocks plugins: names of plugins or distributions, separated by commas."""


class InvalidResultError(AssertionError):
    """What a plugin's code returned is not what its caller can use."""


@dataclass(frozen=True)
class Origin:
    """Where a plugin's code comes from.

    Attributes
    ----------
    plugin : str
        The plugin's name; for a model of a class that no plugin gives, "class" and the class's name.
    distribution, version : str
        The installed distribution that the plugin came in; empty if there is none.
    """

    plugin: str
    distribution: str = ""
    version: str = ""

    @classmethod
    def of(cls, model: object) -> Origin:
        """Return the origin of an object whose class no plugin gives."""
        return cls(f"class {type(model).__module__}.{type(model).__qualname__}")

    def __str__(self) -> str:
        if self.plugin.startswith("class "):
            return self.plugin
        distribution = f" ({self.distribution} {self.version})" if self.distribution else ""
        return f"plugin {self._entry!r}{distribution}"

    def same_plugin(self, other: Origin) -> bool:
        """Whether both are of one plugin, of whatever version."""
        return self.plugin == other.plugin or (self._entry, self.distribution) == (other._entry, other.distribution)

    @property
    def _entry(self) -> str:
        """The name of the entry point, without the distribution that is added where two plugins share it."""
        return self.plugin.partition(" (")[0]

    @property
    def advice(self) -> str:
        """How to switch it off, as the end of a message; nothing for a class that the caller gave."""
        if self.plugin.startswith("class "):
            return ""
        return f"; switch it off with {DISABLE}={self.plugin if self.plugin == self._entry else self.distribution}"


@dataclass
class Interruption:
    """Whether the process was asked to stop; a KeyboardInterrupt that a plugin raises by itself is its failure.

    Attributes
    ----------
    handled : bool
        Whether our own signal handlers note it; without them every KeyboardInterrupt counts as one of the user's.
    asked : bool
        Whether a signal has come.
    """

    handled: bool = False
    asked: bool = False

    def require_none(self, error: BaseException | None = None) -> None:
        """Raise KeyboardInterrupt if the process was asked to stop, whatever a plugin made of that.

        Raises
        ------
        KeyboardInterrupt
            It was.
        """
        if isinstance(error, KeyboardInterrupt) and (self.asked or not self.handled):
            raise error
        if self.asked:
            raise KeyboardInterrupt from error


INTERRUPTION = Interruption()
"""Signals are for the whole process, and so is this."""


@contextmanager
def guard(origin: Origin, what: str, owner: object, method: str) -> Iterator[None]:
    """Turn whatever is raised inside into an error that names the plugin.

    Errors of anomalo, MemoryError and an interruption by the user pass as they are.

    Parameters
    ----------
    origin : Origin
        Whose code is called.
    what : str
        The subject of the message, such as "model 'knn'".
    owner, method : object, str
        Whose method is called, and its name: the line of its definition is named where none of the plugin ran.

    Raises
    ------
    PluginError
        With one line: model, plugin, distribution and version, method, cause, file and line, how to switch it off.
    """
    try:
        yield
    except BaseException as error:  # SystemExit too: sys.exit() in a plugin must not end the host
        INTERRUPTION.require_none(error)
        if isinstance(error, AnomaloError | MemoryError):
            raise
        kind = owner if isinstance(owner, type) else type(owner)
        line = deepest_line(error, kind.__module__) or _definition(getattr(kind, method, None))
        raise PluginError(failure(f"{what} of {origin}", method, error, line, origin.advice)) from error
    INTERRUPTION.require_none()


def failure(subject: str, where: str, error: BaseException, line: str = "", advice: str = "") -> str:
    """Return in one line what failed, where, why, in which line, and what to do."""
    return f"{subject} failed in {where}: {reason_of(error)}{f' ({line})' if line else ''}{advice}"


def reason_of(error: BaseException) -> str:
    """Return an exception as one line: its kind and its message."""
    text = without_passwords(" ".join(str(error).split()))
    if isinstance(error, PluginError | InvalidResultError):
        return text
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def deepest_line(error: BaseException, module: str) -> str:
    """Return "file:line" of the deepest line that ran in the package of a module; nothing if none did."""
    package = module.partition(".")[0]
    return next((line for name, line in reversed(list(_frames(error.__traceback__))) if name == package), "")


def _definition(function: Any) -> str:
    code = getattr(inspect.unwrap(function), "__code__", None) if callable(function) else None
    return "" if code is None else f"{_shown(code.co_filename)}:{code.co_firstlineno}"


def _frames(traceback: TracebackType | None) -> Iterator[tuple[str, str]]:
    """Yield package, and file and line of each frame, the deepest last."""
    while traceback is not None:
        frame = traceback.tb_frame
        name = str(frame.f_globals.get("__name__", ""))
        yield name.partition(".")[0], f"{_shown(frame.f_code.co_filename)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next


def _shown(file: str) -> str:
    """Return a file's path, relative to the folder that it is imported from."""
    for folder in sorted(filter(None, sys.path), key=len, reverse=True):
        if Path(file).is_relative_to(folder):
            return Path(file).relative_to(folder).as_posix()
    return file
