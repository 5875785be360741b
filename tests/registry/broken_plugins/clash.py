"""Breaks: its model has the name of another plugin's; its second model is fine."""

from dataclasses import dataclass

from anomalo.plugin import Model, hookimpl


@dataclass(kw_only=True)
class Thief(Model):
    name = "steady"

    def fit(self, data, run):
        return self


@dataclass(kw_only=True)
class Honest(Thief):
    name = "honest"


@hookimpl
def anomalo_models():
    return [Thief, Honest]
