"""Every call into a plugin's code but those of its models: each is guarded, and a failure is kept and logged."""

from __future__ import annotations

import itertools
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from anomalo.errors import AnomaloError, PluginError
from anomalo.models.guard import INTERRUPTION, Origin, deepest_line, failure, reason_of
from anomalo.registry import hookspecs
from anomalo.registry.discovery import GROUP, Failure, Found, PluginInfo
from anomalo.registry.handlers import guarded_handlers
from anomalo.registry.plugin_checks import check_hooks, checked_batches, items

if TYPE_CHECKING:
    import pyarrow as pa

    from anomalo.tabular.read_options import ReadOptions
    from anomalo.tabular.writing.destination import Destination

T = TypeVar("T")

_logger = logging.getLogger("anomalo")


class PluginCalls:
    """The plugins, each imported when something is asked of it, and called under a guard.

    Each plugin has a separate pluggy manager, so that no call runs the code of two plugins.

    Parameters
    ----------
    found : iterable of (PluginInfo, EntryPoint or None)
        The plugins, in the order in which they are asked.

    Attributes
    ----------
    infos : dict of str to PluginInfo
        All of them, by name.
    failures : list of Failure
        Everything that has failed so far.
    """

    def __init__(self, found: Iterable[Found]) -> None:
        found = list(found)
        self.infos: dict[str, PluginInfo] = {info.name: info for info, _ in found}
        self.failures = [failure for info in self.infos.values() for failure in info.failures]
        self._entries: dict[str, EntryPoint] = {
            info.name: entry for info, entry in found if entry is not None and info.status == "listed"
        }
        self._managers: dict[str, pluggy.PluginManager | None] = {}
        self._given: dict[tuple[str, str], list[Any]] = {}

    def core(self) -> list[str]:
        """Return anomalo's own hooks: its readers and encoders, in no plugin's package."""
        return [
            name
            for name in self._entries
            if self.infos[name].first_party and self.infos[name].module.startswith("anomalo.")
        ]

    def loaded(self) -> Iterator[str]:
        """Yield the plugins that can be imported, each imported at its turn."""
        return (plugin for plugin in self._entries if self._manager(plugin) is not None)

    def readers(self) -> Iterator[str]:
        """Yield them in the order in which they are asked to read: anomalo's own hooks first."""
        core = self.core()
        return (plugin for plugin in [*core, *(name for name in self._entries if name not in core)])

    def origin(self, plugin: str) -> Origin:
        """Return a plugin with its distribution and version."""
        return self.infos[plugin].origin

    def training(self, plugin: str, **arguments: Any) -> None:
        """Let a plugin attach handlers; one that raises is reported, and not called again in this training."""
        hook = "anomalo_training"
        report = partial(self.report, plugin, hook, level=logging.WARNING)
        with self._guard(plugin, hook, level=logging.WARNING), guarded_handlers(arguments["engine"], report):
            self._call(plugin, hook, **arguments)

    def run_saved(self, plugin: str, **arguments: Any) -> None:
        """Notify a plugin that a run is complete."""
        hook = "anomalo_run_saved"
        with self._guard(plugin, hook, level=logging.WARNING):
            self._call(plugin, hook, **arguments)

    def _manager(self, plugin: str) -> pluggy.PluginManager | None:
        """Return the manager of a plugin, which is imported if it was not; None if it cannot be."""
        if plugin not in self._managers:
            self._managers[plugin] = None
            with self._guard(plugin, "load"):
                manager = pluggy.PluginManager(GROUP)
                manager.add_hookspecs(hookspecs)
                loaded = self._entries[plugin].load()
                manager.register(loaded, name=plugin)
                check_hooks(manager, loaded)
                self._managers[plugin] = manager
        return self._managers[plugin]

    @contextmanager
    def _guard(
        self, plugin: str, phase: str, passing: tuple[type[Exception], ...] = (), level: int = logging.DEBUG
    ) -> Iterator[None]:
        try:
            yield
        except BaseException as error:  # SystemExit too: sys.exit() in a plugin must not end the host
            INTERRUPTION.require_none(error)
            if isinstance(error, passing):
                raise
            self.report(plugin, phase, error, level)
        INTERRUPTION.require_none()

    def report(self, plugin: str, phase: str, error: BaseException, level: int = logging.DEBUG) -> None:
        """Keep a failure, and log it the first time: as a warning where nobody would look for it otherwise."""
        found = Failure(plugin, reason_of(error), phase)
        if found not in self.failures:
            self.failures.append(found)
            _logger.log(level, self._text(plugin, phase, error), extra={"error": error})

    def _text(self, plugin: str, phase: str, error: BaseException) -> str:
        info = self.infos[plugin]
        return failure(str(info.origin), phase, error, deepest_line(error, info.module), info.origin.advice)

    def given(self, plugin: str, hook: str, check: Callable[[object], T]) -> list[T]:
        """Return what a plugin gives by a hook, checked; it is asked once."""
        if (plugin, hook) not in self._given:
            found = self._given[plugin, hook] = []
            for item in self._ask(plugin, hook):
                with self._guard(plugin, hook):
                    found.append(check(item))
        return self._given[plugin, hook]

    def _ask(self, plugin: str, hook: str) -> list[object]:
        with self._guard(plugin, hook):
            return [item for result in self._call(plugin, hook) or () for item in items(hook, result)]
        return []

    def _call(self, plugin: str, hook: str, **arguments: Any) -> Any:
        """Call a plugin's hook; None if it cannot be imported."""
        manager = self._manager(plugin)
        return None if manager is None else getattr(manager.hook, hook)(**arguments)

    def read(self, plugin: str, source: str, options: ReadOptions) -> Iterator[pa.RecordBatch] | None:
        """Return the batches of a source; None if the plugin does not read it.

        Raises
        ------
        AnomaloError
            Of the plugin, about a source that it reads.
        PluginError
            While iterating: it failed after its first batch.
        """
        with self._guard(plugin, "anomalo_read", passing=(AnomaloError,)):
            batches = self._call(plugin, "anomalo_read", source=source, options=options)
            if batches is None:
                return None
            # The first batch is read inside the guard, because a generator runs no code before.
            checked = checked_batches(batches)
            first = next(checked, None)
            return None if first is None else itertools.chain([first], self._rest(plugin, source, checked))
        return None

    def destination(self, plugin: str, target: str) -> Destination | None:
        """Return what writes a target; None if the plugin does not write it, or failed.

        Raises
        ------
        AnomaloError
            Of the plugin, about a target that it writes.
        """
        with self._guard(plugin, "anomalo_output", passing=(AnomaloError,)):
            found: Destination | None = self._call(plugin, "anomalo_output", target=target)
            return found
        return None

    def _rest(self, plugin: str, source: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except AnomaloError:
            raise
        except GeneratorExit:  # the caller has read enough
            raise
        except BaseException as error:
            INTERRUPTION.require_none(error)
            self.report(plugin, "anomalo_read", error)
            raise PluginError(self._text(plugin, f"anomalo_read({source!r})", error)) from error
