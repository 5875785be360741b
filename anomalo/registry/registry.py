"""Load plugins, isolate their failures and report them: a broken plugin neither stops the host nor changes others."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import cached_property
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from anomalo.encoding.encoder import Encoder
from anomalo.errors import (
    SourceError,
    UnknownModelError,
    UsageError,
    did_you_mean,
)
from anomalo.models.base import Model
from anomalo.models.guard import Origin, guard
from anomalo.models.guarded import GuardedModel, guard_part, named
from anomalo.registry.discovery import Failure, Found, PluginInfo, find
from anomalo.registry.engine import Compute, Engine, EngineChoice
from anomalo.registry.guarded_engine import GuardedEngine
from anomalo.registry.offers import Key, Offers, collect, keeper, required
from anomalo.registry.plugin_calls import PluginCalls
from anomalo.registry.plugin_checks import checked_encoder, checked_engine, checked_model, checked_page
from anomalo.tabular.column import TABLE
from anomalo.tabular.read_options import ReadOptions
from anomalo.tabular.writing.destination import Destination

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["Failure", "PluginInfo", "Registry"]


class Registry:
    """The plugins and what they provide. `Registry.load` creates one; it is passed as an argument, never global.

    A plugin is imported when something is asked of it.

    Examples
    --------
    >>> registry = Registry.load(entry_points=[])
    >>> registry.plugins(), dict(registry.models), registry.failures
    ([], {}, ())
    """

    def __init__(self, found: Iterable[Found] = ()) -> None:
        self._calls = PluginCalls(found)

    @classmethod
    def load(
        cls,
        *,
        entry_points: Iterable[EntryPoint] | None = None,
        disabled: Collection[str] | None = None,
    ) -> Self:
        """Find every plugin, first-party ones first, then by name; a failure of one does not affect the others.

        A plugin is imported when something is asked of it: scoring with a saved model imports those that made it.

        Parameters
        ----------
        entry_points : iterable of EntryPoint, optional
            Instead of the installed ones of group "anomalo".
        disabled : collection of str, optional
            Names of plugins or distributions that are not to be imported, instead of those in the environment
            variable ANOMALO_DISABLE_PLUGINS.
        """
        return cls(find(entry_points, disabled))

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
        return [
            self._with_status(info, tuple(f for f in failures if f.plugin == info.name))
            for info in self._calls.infos.values()
        ]

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Everything that has failed so far."""
        _ = self._models, self._encoders, self._pages, self._engines
        return tuple(self._calls.failures)

    @property
    def models(self) -> Mapping[str, tuple[type[Model], ...]]:
        """The models by name, sorted, one for each modality that has the name, or several.

        One whose name another plugin keeps is called `plugin:name`.
        """
        found: dict[str, dict[type[Model], None]] = {}
        for claims in self._models.values():
            for plugin, model in claims:
                found.setdefault(self._full_name(plugin, model), {})[model] = None
        return {name: tuple(models) for name, models in sorted(found.items())}

    def pages(self) -> list[tuple[str, Path]]:
        """Return the pages for the dashboard, each with the plugin that gives it."""
        return list(self._pages)

    def get(self, name: str, modality: str | None = None) -> type[Model]:
        """Return the model class of that name.

        Parameters
        ----------
        modality : str, optional
            What its rows are; without one it is the model for tables, or the only one.

        Raises
        ------
        UnknownModelError
            There is none; the message names the closest one and the plugins that failed.
        UsageError
            The models of that name are for other modalities, or for several that are not tables.
        PluginError
            Two plugins claim the name, neither of them first-party.
        """
        return self._model(name, modality)[1]

    def plugin_of(self, model_name: str, modality: str | None = None) -> str:
        """Return the name of the plugin that gives a model; raises as `get` does."""
        return self._model(model_name, modality)[0]

    def create(self, name: str, /, **params: Any) -> Model:
        """Return a new, unfitted model for tables, or of the only modality that has one of this name.

        Raises
        ------
        UnknownModelError, UsageError, PluginError
            As `get`.
        ParameterError
            The model has no such parameter (the ones that it has are listed), or a value is out of bounds.
        """
        return self.create_for(None, name, params)

    def create_for(self, modality: str | None, name: str, params: Mapping[str, Any]) -> Model:
        """Return a new model for rows of a modality; raises as `create` does."""
        plugin, model = self._model(name, modality)
        return self._made(plugin, self._full_name(plugin, model), model, params)

    def part_creator(self, modality: str) -> Callable[..., Model]:
        """Return the function `create` for parts of a model of that modality: their verbs are guarded."""

        def create(name: str, /, **params: Any) -> Model:
            return guard_part(self.create_for(modality, name, params), self.origin(name, modality))

        return create

    def guarded(self, model: Model) -> GuardedModel:
        """Return a model with its origin: the plugin that gives its class, or the class where none does."""
        for plugin, offered in self._models.get((model.modalities[0], type(model).name), []):
            if offered is type(model):
                return GuardedModel(named(model, self._full_name(plugin, offered)), self._calls.origin(plugin))
        return GuardedModel.of(model)

    def origin(self, name: str, modality: str | None = None) -> Origin:
        """Return the plugin, distribution and version of a model; raises as `get` does."""
        return self._calls.origin(self.plugin_of(name, modality))

    def create_again(self, origin: Origin, modality: str, name: str, params: Mapping[str, Any]) -> GuardedModel | None:
        """Return a new model of one plugin, without importing any other; None if the plugin does not give it.

        Parameters
        ----------
        origin : Origin
            The plugin, as a saved model names it.
        modality, name : str
            What its rows are, and the model's name, or `plugin:name`.
        """
        same = [info for info in self._calls.infos.values() if info.origin.same_plugin(origin)]
        for info in same:
            for model in self._calls.given(info.name, "anomalo_models", checked_model):
                if modality in model.modalities and model.name == name.rpartition(":")[2]:
                    return GuardedModel(self._made(info.name, name, model, params), info.origin)
        return None

    def encoder(self, modality: str) -> type[Encoder]:
        """Return the encoder class of a modality.

        Raises
        ------
        UsageError
            There is none; the known ones are listed.
        PluginError
            Two plugins claim the modality.
        """
        for plugin in self._calls.core():  # which keeps its modality, whoever else claims it
            for encoder in self._calls.given(plugin, "anomalo_encoders", checked_encoder):
                if encoder.modality == modality:
                    return encoder
        claims = self._encoders.get((modality, ""))
        if claims is None:
            listed = ", ".join(modality for modality, _ in self._encoders) or "none"
            raise UsageError(
                f"no encoder is for modality {modality!r}; there are encoders for: {listed}{self._known()}"
            )
        return required(self._calls, "encoder", (modality, ""), claims)[1]

    def engine(self, choice: EngineChoice, work: Callable[[bool], Compute]) -> Engine:
        """Return an engine of which every call is guarded.

        Parameters
        ----------
        choice : EngineChoice
            Its name, or `plugin:name` where another plugin keeps the name, and its options.
        work : callable
            Returns what it computes, given whether its workers may be on other machines.

        Raises
        ------
        UsageError
            There is none of that name, an option is not for it, or a library that it needs is not installed.
        PluginError
            Two plugins claim the name, neither of them first-party; or it failed.
        """
        plugin, _, name = choice.name.rpartition(":")
        claims = self._engines.get(("", name), [])
        found = next((claim for claim in claims if claim[0] == plugin), None)
        if not claims or (plugin and found is None):
            names = [name for _, name in self._engines]
            hint = did_you_mean(choice.name, names) or f"; the engines are: {', '.join(names) or 'none'}"
            raise UsageError(f"no engine is named {choice.name!r}{hint}{self._known()}")
        plugin, engine = found or required(self._calls, "engine", ("", name), claims)
        return GuardedEngine(engine, self._calls.origin(plugin), work, choice)

    def read(self, source: str, options: ReadOptions | None = None) -> Iterator[pa.RecordBatch]:
        """Return the batches of the first plugin that reads `source`.

        Parameters
        ----------
        source : str
            A path, a URL, or anything else that a reader knows.
        options : ReadOptions, optional
            What the user decided about reading it.

        Raises
        ------
        SourceError
            No plugin reads it.
        AnomaloError
            A reader raised it about a source that it reads.
        PluginError
            While iterating: the reader failed after its first batch.
        """
        for plugin in self._calls.readers():
            batches = self._calls.read(plugin, source, options or ReadOptions())
            if batches is not None:
                return batches
        raise SourceError(_unreadable(source) + self._known())

    def destination(self, target: str) -> Destination:
        """Return what the first plugin that writes `target` gives.

        Raises
        ------
        UsageError
            No plugin writes it.
        """
        for plugin in self._calls.readers():
            found = self._calls.destination(plugin, target)
            if found is not None:
                return found
        raise UsageError(
            f"cannot write to {target}: expected a file, a new folder with a slash at its end, or a table of a "
            f"database such as sqlite:///file.db::table{self._known()}"
        )

    def training(self, engine: Any, model: Model, run: Any) -> None:
        """Notify every plugin that `model` is about to be trained by the Ignite engine `engine`.

        A handler that raises is reported, and not called again in this training.
        """
        for plugin in self._calls.loaded():
            self._calls.training(plugin, engine=engine, model=model, run=run)

    def run_saved(self, store: Any, run_id: str, plugin: str | None = None) -> None:
        """Notify every plugin, or one, that a run is complete in the workspace."""
        asked = [plugin] if plugin in self._calls.infos else self._calls.loaded() if plugin is None else ()
        for plugin in asked:
            self._calls.run_saved(plugin, store=store, run_id=run_id)

    @cached_property
    def _models(self) -> Offers[type[Model]]:
        return collect(
            self._calls,
            "anomalo_models",
            "model",
            checked_model,
            lambda model: [(of, model.name) for of in model.modalities],
        )

    @cached_property
    def _encoders(self) -> Offers[type[Encoder]]:
        return collect(
            self._calls, "anomalo_encoders", "encoder", checked_encoder, lambda encoder: [(encoder.modality, "")]
        )

    @cached_property
    def _engines(self) -> Offers[type[Engine]]:
        return collect(self._calls, "anomalo_engines", "engine", checked_engine, lambda engine: [("", engine.name)])

    @cached_property
    def _pages(self) -> list[tuple[str, Path]]:
        pages = []
        for plugin in self._calls.loaded():
            pages += [(plugin, page) for page in self._calls.given(plugin, "anomalo_pages", checked_page)]
        return pages

    def _full_name(self, plugin: str, model: type[Model]) -> str:
        """Return the name by which a plugin's model is found: its own, or `plugin:name` if it does not keep it."""
        keepers = [keeper(self._calls, self._models.get((of, model.name), [])) for of in model.modalities]
        keeps = all(keeper is not None and keeper[0] == plugin for keeper in keepers)
        return model.name if keeps else f"{plugin}:{model.name}"

    def _made(self, plugin: str, name: str, model: type[Model], params: Mapping[str, Any]) -> Model:
        model.require_parameters(params)
        with guard(self._calls.origin(plugin), f"model {name!r}", model, "__init__"):
            return named(model(**params), name)

    def _model(self, name: str, modality: str | None) -> tuple[str, type[Model]]:
        plugin, _, bare = name.rpartition(":")
        claims = {of: claims for (of, its), claims in self._models.items() if its == bare}
        known = [of for of, its in claims.items() if not plugin or plugin in dict(its)]
        if not known:
            names = [
                its for its, models in self.models.items() if any(modality in (None, *m.modalities) for m in models)
            ]
            hint = did_you_mean(name, names) or f"; the models are: {', '.join(names) or 'none'}"
            raise UnknownModelError(f"no model is named {name!r}{hint}{self._known()}")
        if modality is not None and modality not in known:
            names = [its for its, models in self.models.items() if any(modality in m.modalities for m in models)]
            raise UsageError(
                f"model {name!r} is for modality {' and '.join(map(repr, known))}, and the rows are of modality "
                f"{modality!r}; models for it: {', '.join(names) or 'none'}{self._known()}"
            )
        asked = modality if modality is not None else TABLE if TABLE in known else None
        offers = [self._offer(plugin, (of, bare)) for of in (known if asked is None else [asked])]
        if len({model for _, model in offers}) > 1:
            raise UsageError(f"there are several models {name!r}: for {', '.join(known)}; the source decides which")
        return offers[0]

    def _offer(self, plugin: str, key: Key) -> tuple[str, type[Model]]:
        """Return the model of a key that there is: a plugin's, or with an empty name that of whoever keeps it."""
        claims = self._models[key]
        return next((claim for claim in claims if claim[0] == plugin), None) or required(
            self._calls, "model", key, claims
        )

    def _known(self) -> str:
        """The failures so far, in short, to be appended to an error that they may explain."""
        shown = dict.fromkeys(f"{failure.plugin} ({failure.reason[:100]})" for failure in self._calls.failures)
        return f" [plugins that failed: {'; '.join(shown)}]" if shown else ""

    def _with_status(self, info: PluginInfo, failures: tuple[Failure, ...]) -> PluginInfo:
        if info.status != "listed":
            return info
        return dataclasses.replace(
            info,
            status="failed" if failures else "ok",
            reason="; ".join(dict.fromkeys(failure.reason for failure in failures)),
            models=tuple(
                sorted(
                    {
                        self._full_name(*offer)
                        for offers in self._models.values()
                        for offer in offers
                        if offer[0] == info.name
                    }
                )
            ),
            engines=tuple(name for (_, name), claims in self._engines.items() if info.name in dict(claims)),
            pages=tuple(page for plugin, page in self._pages if plugin == info.name),
            failures=failures,
        )


def _unreadable(source: str) -> str:
    expected = "; expected a text table (.csv, .tsv, .txt), a workbook (.xlsx, .ods), .parquet, .feather or .jsonl"
    folder, name = os.path.split(source)
    if os.path.exists(source) or not os.path.isdir(folder or "."):
        return f"cannot read {source}: no reader knows this kind of source{expected}"
    return f"cannot read {source}: there is no such file{did_you_mean(name, os.listdir(folder or '.')) or expected}"
