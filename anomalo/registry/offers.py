"""What plugins offer by a hook, under names; who keeps a name that several claim."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from anomalo.errors import PluginError
from anomalo.models.guard import DISABLE
from anomalo.registry.discovery import Failure
from anomalo.registry.plugin_calls import PluginCalls

T = TypeVar("T")
Key = tuple[str, str]
"""A modality and a name, either of which may be empty: two plugins that give the same are in conflict."""
Offers = dict[Key, list[tuple[str, T]]]  # (plugin, class) of everyone who claims it


def collect(
    calls: PluginCalls, hook: str, what: str, check: Callable[[object], T], keys: Callable[[T], list[Key]]
) -> Offers[T]:
    """Return what all plugins offer by a hook; conflicts are noted as failures of those that do not keep the name."""
    offers: Offers[T] = {}
    for plugin in calls.loaded():
        for checked in calls.given(plugin, hook, check):
            for key in keys(checked):
                offers.setdefault(key, []).append((plugin, checked))
    for key, claims in offers.items():
        keeps = keeper(calls, claims)
        for plugin in dict.fromkeys(plugin for plugin, _ in claims if claims[1:]):
            if keeps is None or plugin != keeps[0]:
                calls.failures.append(Failure(plugin, _conflict(what, key, claims, keeps, plugin), hook))
    return dict(sorted(offers.items()))


def keeper(calls: PluginCalls, claims: list[tuple[str, T]]) -> tuple[str, T] | None:
    """Return the claim that keeps a name: the only one, or the only one that is first-party."""
    if claims[1:]:
        claims = [claim for claim in claims if calls.infos[claim[0]].first_party]
    return claims[0] if len(claims) == 1 else None


def required(calls: PluginCalls, what: str, key: Key, claims: list[tuple[str, T]]) -> tuple[str, T]:
    """Return the claim that keeps a name.

    Raises
    ------
    PluginError
        None does.
    """
    keeps = keeper(calls, claims)
    if keeps is None:
        raise PluginError(_conflict(what, key, claims, None))
    return keeps


def _conflict(what: str, key: Key, claims: list[tuple[str, T]], keeps: tuple[str, T] | None, plugin: str = "") -> str:
    modality, name = key
    plugins = " and ".join(repr(claim) for claim, _ in claims)
    others = [f"{claim}:{name}" for claim, _ in claims if plugin in ("", claim)] if name else []
    kept = "" if keeps is None else f"; {keeps[0]!r} keeps it"
    use = f"; use {' or '.join(map(repr, others))}" if others else ""
    claimed = f"{what} {name!r}" if name else f"{what} for modality {modality!r}"
    return f"the {claimed} is claimed by the plugins {plugins}{kept}{use}, or disable one of them with {DISABLE}"
