"""Load plugins, isolate their failures and report them: a broken plugin neither stops the host nor changes others."""

from __future__ import annotations

import dataclasses
import itertools
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

import pluggy

from anomalo.encoding.encoder import Encoder
from anomalo.errors import (
    AnomaloError,
    PluginError,
    SourceError,
    UnknownModelError,
    UsageError,
    did_you_mean,
)
from anomalo.models.base import Model
from anomalo.registry import hookspecs
from anomalo.registry.checked import Key, checked_encoder, checked_model, checked_page
from anomalo.registry.discovery import DISABLE, GROUP, Failure, PluginInfo, find, reason_of

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Failure", "PluginInfo", "Registry"]

T = TypeVar("T")
Offers = dict[Key, list[tuple[str, T]]]  # (plugin, class) of everyone who claims it

_logger = logging.getLogger("anomalo")


class Registry:
    """The loaded plugins and what they provide. `Registry.load` creates one; it is passed as an argument, never global.

    Each plugin has a separate pluggy manager, so that no call runs the code of two plugins.

    Examples
    --------
    >>> registry = Registry.load(entry_points=[])
    >>> registry.plugins(), dict(registry.models), registry.failures
    ([], {}, ())
    """

    def __init__(self, infos: Iterable[PluginInfo] = ()) -> None:
        self._infos = list(infos)
        self._managers: dict[str, pluggy.PluginManager] = {}
        self._failures = [failure for info in self._infos for failure in info.failures]

    @classmethod
    def load(
        cls,
        *,
        entry_points: Iterable[EntryPoint] | None = None,
        disabled: Collection[str] | None = None,
    ) -> Self:
        """Load every plugin, first-party ones first, then by name; a failure of one does not affect the others.

        Parameters
        ----------
        entry_points : iterable of EntryPoint, optional
            Instead of the installed ones of group "anomalo".
        disabled : collection of str, optional
            Names of plugins or distributions that are not to be imported, instead of those in the environment
            variable ANOMALO_DISABLE_PLUGINS.
        """
        found = find(entry_points, disabled)
        registry = cls(info for info, _ in found)
        for info, entry in found:
            if entry is not None and info.status == "listed":
                registry._load(info.name, entry)
        return registry

    @staticmethod
    def listing(
        *,
        entry_points: Iterable[EntryPoint] | None = None,
        disabled: Collection[str] | None = None,
    ) -> list[PluginInfo]:
        """List the installed plugins without importing their code."""
        return [info for info, _ in find(entry_points, disabled)]

    def plugins(self) -> list[PluginInfo]:
        """List the plugins with their models, their pages and the reasons of their failures."""
        failures = self.failures
        return [self._with_status(info, tuple(f for f in failures if f.plugin == info.name)) for info in self._infos]

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Everything that has failed so far."""
        _ = self._models, self._encoders, self._pages
        return tuple(self._failures)

    @property
    def models(self) -> Mapping[str, tuple[type[Model], ...]]:
        """The models by name, sorted: one for each modality, or several; names that two plugins claim are left out."""
        found: dict[str, list[type[Model]]] = {}
        for (_, name), offers in sorted(self._models.items(), key=lambda item: item[0][1]):
            if len(offers) == 1 and offers[0][1] not in found.get(name, []):
                found.setdefault(name, []).append(offers[0][1])
        return {name: tuple(models) for name, models in found.items()}

    def pages(self) -> list[tuple[str, Path]]:
        """Return the pages for the dashboard, each with the plugin that gives it."""
        return list(self._pages)

    def get(self, name: str, modality: str | None = None) -> type[Model]:
        """Return the model class of that name.

        Parameters
        ----------
        modality : str, optional
            What its rows are; may be left out where the name has one model only.

        Raises
        ------
        UnknownModelError
            There is none; the message names the closest one and the plugins that failed.
        UsageError
            The models of that name are for other modalities, or for several.
        PluginError
            Two plugins claim the name.
        """
        return self._model(name, modality)[1]

    def plugin_of(self, model_name: str, modality: str | None = None) -> str:
        """Return the name of the plugin that gives a model; raises as `get` does."""
        return self._model(model_name, modality)[0]

    def create(self, name: str, /, **params: Any) -> Model:
        """Return a new, unfitted model, of the only modality that has one of this name; see `creator`.

        Raises
        ------
        UnknownModelError, UsageError, PluginError
            As `get`.
        ParameterError
            The model has no such parameter (the ones that it has are listed), or a value is out of bounds.
        """
        return _created(self.get(name), params)

    def creator(self, modality: str) -> Callable[..., Model]:
        """Return the function `create` for the models of one modality."""
        return lambda name, /, **params: _created(self.get(name, modality), params)

    def encoder(self, modality: str) -> type[Encoder]:
        """Return the encoder class of a modality.

        Raises
        ------
        UsageError
            There is none; the known ones are listed.
        PluginError
            Two plugins claim the modality.
        """
        offer = _only("encoder", (modality, ""), self._encoders)
        if offer is None:
            listed = ", ".join(modality for modality, _ in self._encoders) or "none"
            raise UsageError(
                f"no encoder is for modality {modality!r}; there are encoders for: {listed}{self._known()}"
            )
        return offer[1]

    def read(self, source: str) -> Iterator[pa.RecordBatch]:
        """Return the batches of the first plugin that reads `source`.

        Raises
        ------
        SourceError
            No plugin reads it.
        AnomaloError
            A reader raised it about a source that it reads.
        PluginError
            While iterating: the reader failed after its first batch.
        """
        for plugin in self._managers:
            batches = self._open(plugin, source)
            if batches is not None:
                return batches
        raise SourceError(_unreadable(source) + self._known())

    def training(self, engine: Any, model: Model, run: Any) -> None:
        """Notify every plugin that `model` is about to be trained by the Ignite engine `engine`."""
        self._notify("anomalo_training", engine=engine, model=model, run=run)

    def run_saved(self, store: Any, run_id: str) -> None:
        """Notify every plugin that a run is complete in the workspace."""
        self._notify("anomalo_run_saved", store=store, run_id=run_id)

    @cached_property
    def _models(self) -> Offers[type[Model]]:
        return self._collect("anomalo_models", "model", checked_model)

    @cached_property
    def _encoders(self) -> Offers[type[Encoder]]:
        return self._collect("anomalo_encoders", "encoder", checked_encoder)

    @cached_property
    def _pages(self) -> list[tuple[str, Path]]:
        pages = []
        for plugin in self._managers:
            for item in self._ask(plugin, "anomalo_pages"):
                with self._guard(plugin, "anomalo_pages"):
                    pages.append((plugin, checked_page(item)))
        return pages

    def _load(self, plugin: str, entry: EntryPoint) -> None:
        with self._guard(plugin, "load"):
            manager = pluggy.PluginManager(GROUP)
            manager.add_hookspecs(hookspecs)
            loaded = entry.load()
            manager.register(loaded, name=plugin)
            _check_hooks(manager, loaded)
            self._managers[plugin] = manager

    @contextmanager
    def _guard(self, plugin: str, phase: str, passing: tuple[type[Exception], ...] = ()) -> Iterator[None]:
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # SystemExit too: sys.exit() in a plugin must not end the host
            if isinstance(error, passing):
                raise
            self._failures.append(Failure(plugin, reason_of(error), phase))

    def _collect(self, hook: str, what: str, check: Callable[[object], tuple[list[Key], T]]) -> Offers[T]:
        offers: Offers[T] = {}
        for plugin in self._managers:
            for item in self._ask(plugin, hook):
                with self._guard(plugin, hook):
                    keys, checked = check(item)
                    for key in keys:
                        offers.setdefault(key, []).append((plugin, checked))
        for key, claims in offers.items():
            for plugin in dict.fromkeys(plugin for plugin, _ in claims if claims[1:]):
                self._failures.append(Failure(plugin, _conflict(what, key, claims), hook))
        return dict(sorted(offers.items()))

    def _ask(self, plugin: str, hook: str) -> list[object]:
        with self._guard(plugin, hook):
            return [item for result in self._call(plugin, hook) for item in _items(hook, result)]
        return []

    def _call(self, plugin: str, hook: str, **arguments: Any) -> Any:
        return getattr(self._managers[plugin].hook, hook)(**arguments)

    def _notify(self, hook: str, **arguments: Any) -> None:
        for plugin in self._managers:
            before = len(self._failures)
            with self._guard(plugin, hook):
                self._call(plugin, hook, **arguments)
            for failure in self._failures[before:]:
                _logger.warning("plugin %r failed in %s: %s", plugin, hook, failure.reason)

    def _open(self, plugin: str, source: str) -> Iterator[pa.RecordBatch] | None:
        with self._guard(plugin, "anomalo_read", passing=(AnomaloError,)):
            batches = self._call(plugin, "anomalo_read", source=source)
            if batches is None:
                return None
            # The first batch is read inside the guard, because a generator runs no code before.
            checked = _batches(batches)
            first = next(checked, None)
            return None if first is None else itertools.chain([first], self._rest(plugin, source, checked))
        return None

    def _rest(self, plugin: str, source: str, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        try:
            yield from batches
        except AnomaloError:
            raise
        except (Exception, SystemExit) as error:
            reason = reason_of(error)
            self._failures.append(Failure(plugin, reason, "anomalo_read"))
            raise PluginError(f"plugin {plugin!r} failed while it was reading {source}: {reason}") from error

    def _model(self, name: str, modality: str | None) -> tuple[str, type[Model]]:
        known = sorted(of for of, its in self._models if its == name)
        if not known:
            names = sorted({its for of, its in self._models if modality in (None, of)})
            hint = did_you_mean(name, names) or f"; the models are: {', '.join(names) or 'none'}"
            raise UnknownModelError(f"no model is named {name!r}{hint}{self._known()}")
        if modality is None:
            found = [_only("model", (of, name), self._models) for of in known]
            if len({offer[1] for offer in found if offer is not None}) > 1:
                raise UsageError(f"there are several models {name!r}: for {', '.join(known)}; the source decides which")
            modality = known[0]
        offer = _only("model", (modality, name), self._models)
        if offer is None:
            others = sorted({its for of, its in self._models if of == modality})
            raise UsageError(
                f"model {name!r} is for modality {' and '.join(map(repr, known))}, and the rows are of modality "
                f"{modality!r}; models for it: {', '.join(others) or 'none'}{self._known()}"
            )
        return offer

    def _known(self) -> str:
        """The failures so far, in short, to be appended to an error that they may explain."""
        shown = dict.fromkeys(f"{failure.plugin} ({failure.reason[:100]})" for failure in self._failures)
        return f" [plugins that failed: {'; '.join(shown)}]" if shown else ""

    def _with_status(self, info: PluginInfo, failures: tuple[Failure, ...]) -> PluginInfo:
        if info.status != "listed":
            return info
        return dataclasses.replace(
            info,
            status="failed" if failures else "ok",
            reason="; ".join(dict.fromkeys(failure.reason for failure in failures)),
            models=tuple(
                dict.fromkeys(sorted(name for (_, name), offers in self._models.items() if info.name in dict(offers)))
            ),
            pages=tuple(page for plugin, page in self._pages if plugin == info.name),
            failures=failures,
        )


def _check_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    known = [name for name, caller in vars(manager.hook).items() if caller.has_spec()]
    try:
        manager.check_pending()
    except pluggy.PluginValidationError:
        for name in vars(manager.hook).keys() - set(known):
            raise PluginError(f"it implements an unknown hook {name!r}{did_you_mean(name, known)}") from None
    if not manager.get_hookcallers(plugin):
        raise PluginError("it implements no hook; decorate the functions with @hookimpl from anomalo.plugin")


def _items(hook: str, result: object) -> list[object]:
    if isinstance(result, (str, type)) or not isinstance(result, Iterable):
        raise PluginError(f"{hook} returned {result!r}; expected a list")
    return list(result)


def _created(model: type[Model], params: Mapping[str, Any]) -> Model:
    """Return a new model of a class, whose parameters are checked by name."""
    model.require_parameters(params)
    return model(**params)


def _batches(batches: Iterable[object]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for batch in batches:
        if not isinstance(batch, pa.RecordBatch):
            raise TypeError(f"anomalo_read gave {type(batch).__name__}; expected pyarrow.RecordBatch")
        yield batch


def _only(what: str, key: Key, offers: Offers[T]) -> tuple[str, T] | None:
    claims = offers.get(key, [])
    if claims[1:]:
        raise PluginError(_conflict(what, key, claims))
    return claims[0] if claims else None


def _conflict(what: str, key: Key, claims: list[tuple[str, T]]) -> str:
    modality, name = key
    plugins = " and ".join(repr(plugin) for plugin, _ in claims)
    claimed = f"{what} {name!r}" if name else f"{what} for modality {modality!r}"
    return f"the {claimed} is claimed by the plugins {plugins}; disable one of them with {DISABLE}"


def _unreadable(source: str) -> str:
    expected = "; expected a CSV file (.csv, .tsv, .txt; gzip too) or a Parquet file (.parquet)"
    folder, name = os.path.split(source)
    if os.path.exists(source) or not os.path.isdir(folder or "."):
        return f"cannot read {source}: no reader knows this kind of source{expected}"
    return f"cannot read {source}: there is no such file{did_you_mean(name, os.listdir(folder or '.')) or expected}"
