"""Parameters whose declarations are no JSON values."""

from dataclasses import dataclass

import numpy as np

from anomalo.plugin import Model, hookimpl, param


def declared(name, default, **options):
    options = {"help": "Nothing in particular.", **options}
    fields = {"name": name, "__module__": __name__, "__annotations__": {"width": type(default)}}
    methods = {"fit": lambda self, data, run: self, "score": lambda self, data: np.zeros(len(data))}
    return dataclass(kw_only=True)(
        type("Declared", (Model,), {**fields, **methods, "width": param(default, **options)})
    )


@hookimpl
def anomalo_models():
    return [
        declared("scalar", np.float64(0.5)),
        declared("function", len),
        declared("infinite", float("inf")),
        declared("floats", (0.5, 1.5)),
        declared("bound", 1, low=np.int64(0)),
        declared("choice", "a", choices=("a", None)),
        declared("helpless", 1, help=None),
        declared("fine", (1, 2), low=0),
    ]
