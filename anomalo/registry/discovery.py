"""Find the installed plugins without importing any code of theirs."""

from __future__ import annotations

import importlib.metadata
import os
import re
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache
from importlib.metadata import Distribution, EntryPoint
from pathlib import Path
from typing import Literal

from anomalo.models.guard import DISABLE, Origin, reason_of
from anomalo.version import __version__

GROUP = "anomalo"
"""The entry-point group, and pluggy's project name."""
FIRST_PARTY = "anomalo-engine"
"""The distribution of the first-party plugins."""


@dataclass(frozen=True)
class Failure:
    """What went wrong in one plugin.

    Attributes
    ----------
    plugin : str
        The plugin's name, as `PluginInfo.name`.
    reason : str
        The kind of error and its message, in one line.
    phase : str
        "find", "load", or the hook that was called.
    """

    plugin: str
    reason: str
    phase: str


@dataclass(frozen=True)
class PluginInfo:
    """One plugin, as `anomalo plugins` lists it.

    Attributes
    ----------
    name : str
        The entry point's name; the distribution is added where two plugins share a name, but for anomalo's own.
    distribution, version : str
        The installed distribution that the plugin came in.
    module : str
        The entry point's value.
    first_party : bool
        Whether it comes with anomalo.
    status : {"ok", "failed", "disabled", "listed"}
        "failed" if any part of it failed (its other models still work); "listed" if it was not imported.
    reason : str
        Why it failed.
    models : tuple of str
        The names of its models.
    engines : tuple of str
        The names of its engines.
    pages : tuple of Path
        Its pages of the dashboard.
    failures : tuple of Failure
        Each failure of the plugin.
    """

    name: str
    distribution: str
    version: str
    module: str
    first_party: bool
    status: Literal["ok", "failed", "disabled", "listed"]
    reason: str = ""
    models: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    pages: tuple[Path, ...] = ()
    failures: tuple[Failure, ...] = ()

    @property
    def origin(self) -> Origin:
        """The plugin, its distribution and version."""
        return Origin(self.name, self.distribution, self.version)


Found = tuple[PluginInfo, EntryPoint | None]  # no entry point where a distribution's list of them is unreadable


def find(entry_points: Iterable[EntryPoint] | None, disabled: Collection[str] | None) -> list[Found]:
    """List the plugins, first-party ones first, then by name.

    Parameters
    ----------
    entry_points : iterable of EntryPoint or None
        Instead of the installed ones.
    disabled : collection of str or None
        Names of plugins or distributions, instead of those in the environment variable.
    """
    entries, found = _installed() if entry_points is None else (list(entry_points), [])
    blocked = {_canonical(name) for name in (_disabled() if disabled is None else disabled)}
    shared = Counter(entry.name for entry in entries)
    found += [(_describe(entry, blocked, shared[entry.name] > 1), entry) for entry in entries]
    return sorted(found, key=lambda pair: (not pair[0].first_party, pair[0].name))


def _installed() -> tuple[list[EntryPoint], list[Found]]:
    """Read each distribution separately: `importlib.metadata.entry_points` gives up at the first malformed one."""
    entries: list[EntryPoint] = []
    unreadable: list[Found] = []
    seen: set[str] = set()
    for distribution in importlib.metadata.distributions():
        if f"[{GROUP}]" not in (distribution.read_text("entry_points.txt") or ""):
            continue
        name, version = _identity(distribution)
        if _canonical(name) in seen:  # hidden by one that comes earlier on the path
            continue
        seen.add(_canonical(name))
        try:
            entries.extend(distribution.entry_points.select(group=GROUP))
        except Exception as error:
            reason = f"its entry_points.txt is malformed: {reason_of(error)}"
            failures = (Failure(name, reason, "find"),)
            info = PluginInfo(name, name, version, "", name == FIRST_PARTY, "failed", reason, failures=failures)
            unreadable.append((info, None))
    return entries, unreadable


def _describe(entry: EntryPoint, blocked: set[str], shared: bool) -> PluginInfo:
    distribution, version = _identity(entry.dist) if entry.dist is not None else ("", "")
    first_party = _canonical(distribution) == FIRST_PARTY
    name = f"{entry.name} ({distribution})" if shared and not first_party else entry.name
    info = PluginInfo(name, distribution, version, entry.value, first_party, "listed")
    if blocked & {_canonical(entry.name), _canonical(distribution)}:
        return replace(info, status="disabled")
    reason = "" if first_party or entry.dist is None else _unmet(tuple(entry.dist.requires or ()))
    if reason:
        return replace(info, status="failed", reason=reason, failures=(Failure(name, reason, "find"),))
    return info


@lru_cache(maxsize=16)
def _unmet(requirements: tuple[str, ...]) -> str:
    """Return why a distribution cannot work with this version of anomalo; nothing if it can, by what it requires."""
    from packaging.requirements import InvalidRequirement, Requirement

    for text in requirements:
        try:
            needed = Requirement(text)
        except InvalidRequirement as error:
            return f"its metadata is malformed: {reason_of(error)}"
        applies = needed.marker is None or needed.marker.evaluate({"extra": ""})
        if (
            _canonical(needed.name) == FIRST_PARTY
            and applies
            and not needed.specifier.contains(__version__, prereleases=True)
        ):
            return f"it requires {needed}, but this is version {__version__}; install versions that fit each other"
    return ""


@lru_cache(maxsize=16)  # once for each distribution, not for each plugin in it
def _identity(distribution: Distribution) -> tuple[str, str]:
    """The name and version of a distribution; empty where its metadata lacks them."""
    fields = dict(distribution.metadata.items())  # type: ignore[attr-defined]
    return fields.get("Name", ""), fields.get("Version", "")


def _disabled() -> list[str]:
    return [name.strip() for name in os.environ.get(DISABLE, "").split(",") if name.strip()]


def _canonical(name: str) -> str:
    """A distribution's name as PEP 503 compares it."""
    return re.sub(r"[-_.]+", "-", name).lower()
