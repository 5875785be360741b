"""Run the conformance kit on installed models: `python -m anomalo.testing MODEL... [PARAMETER=VALUE...]`."""

import sys

from anomalo.errors import AnomaloError
from anomalo.registry.registry import Registry
from anomalo.testing.checks import check_model

USAGE = """usage: python -m anomalo.testing MODEL... [PARAMETER=VALUE...]

Run the conformance kit on installed models, by their names; `anomalo models` lists them.
Parameters, such as epochs=2 to make fits quick, are those of all of these models.
"""


def main(arguments: list[str]) -> int:
    """Return the exit code: 0 if the models pass every check, 1 if one fails, 2 for wrong usage."""
    names = [argument for argument in arguments if "=" not in argument]
    if not names or any(name.startswith("-") for name in names):
        sys.stderr.write(USAGE)
        return 2
    settings = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    registry, failed = Registry.load(), False
    try:
        found = [model for name in names for model in registry.models.get(name) or [registry.get(name)]]
        models = [(model, model.parse(settings)) for model in found]
    except AnomaloError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    for model, params in models:
        try:
            check_model(model, **params)
        except AssertionError as error:
            failed = True
            sys.stdout.write(f"{error}\n")
        else:
            sys.stdout.write(f"{model.name} passes every check\n")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
