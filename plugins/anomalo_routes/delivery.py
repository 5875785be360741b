"""What routes share: their failure, further attempts, and secrets from the environment."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any


class DeliveryError(Exception):
    """A route could not be notified.

    Parameters
    ----------
    text : str
        Why, without secrets.
    passing : bool
        Whether another attempt may succeed.
    """

    def __init__(self, text: str, passing: bool = False) -> None:
        super().__init__(text)
        self.passing = passing


def attempts(route: dict[str, Any], attempt: Callable[[], None], sleep: Callable[[float], None] = time.sleep) -> None:
    """Call `attempt`, and again after `backoff` seconds, twice that, and so on, at most `retries` times.

    Raises
    ------
    DeliveryError
        The last attempt failed, or one in a way that another would not change.
    """
    for number in range(route["retries"] + 1):
        try:
            attempt()
            return
        except DeliveryError as error:
            if not error.passing:
                raise
            if number == route["retries"]:
                tries = f", after {number + 1} attempts" if number else ""
                raise DeliveryError(f"{error}{tries}") from None
        sleep(route["backoff"] * 2**number)


def secret(route: dict[str, Any], key: str) -> str | None:
    """Return the value of the variable that a route names; None if it names none.

    Raises
    ------
    DeliveryError
        The variable is not set, or empty.
    """
    name = route.get(key)
    if name is None:
        return None
    value = os.environ.get(name)
    if not value:
        raise DeliveryError(f"the environment variable {name} ({key}) is not set")
    return value
