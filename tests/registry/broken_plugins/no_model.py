"""Breaks: none of what it gives is a model, a reader's batch or an encoder."""

from dataclasses import dataclass

from anomalo.plugin import Model, hookimpl, param


class NotAModel:
    name = "not-a-model"


@dataclass(kw_only=True)
class Nameless(Model):
    def fit(self, data, run):
        return self


@dataclass(kw_only=True)
class Unfit(Model):
    name = "unfit"


class Undecorated(Model):
    name = "undecorated"
    width: int = param(3)

    def fit(self, data, run):
        return self


@dataclass(kw_only=True)
class OutOfBounds(Model):
    name = "out-of-bounds"
    width: int = param(3, low=5)

    def fit(self, data, run):
        return self


@hookimpl
def anomalo_models():
    return [NotAModel, Nameless, Unfit, Undecorated, OutOfBounds, None, 7]


@hookimpl
def anomalo_encoders():
    return "table"


@hookimpl
def anomalo_read(source):
    return ["not a batch"]
