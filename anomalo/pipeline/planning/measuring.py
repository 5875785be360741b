"""Seconds and memory of this process."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from pathlib import Path


def seconds_of(work: Callable[[], object], device: str = "cpu") -> float:
    """Do some work, and return the seconds that it takes: of the processor, or of the clock where a GPU works too."""
    clock = time.process_time if device == "cpu" else time.perf_counter
    started = clock()
    work()
    return clock() - started


def peak_memory() -> float:
    """Return the most bytes that this process has held so far."""
    try:
        # The maximum of `resource` includes that of the process that started this one.
        (line,) = [text for text in Path("/proc/self/status").read_text().splitlines() if text.startswith("VmHWM")]
        return int(line.split()[1]) * 1024.0
    except (OSError, ValueError):
        import resource  # which Windows has not

        unit = 1 if sys.platform == "darwin" else 1024
        return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def straight_line(few: tuple[int, float], many: tuple[int, float]) -> tuple[float, float]:
    """Return what is fixed, and what each row adds, of seconds that two numbers of rows took; neither is negative.

    Examples
    --------
    >>> straight_line((100, 2.0), (300, 4.0))
    (1.0, 0.01)
    >>> straight_line((100, 3.0), (300, 3.0)), straight_line((100, 0.0), (300, 3.0))
    ((3.0, 0.0), (0.0, 0.01))
    """
    (n, first), (m, second) = few, many
    per_row = min(max((second - first) / (m - n), 0.0), second / m) if m > n else second / m
    return max(second - per_row * m, 0.0), per_row


def power(few: tuple[int, float], many: tuple[int, float], rows: int) -> float:
    """Return the seconds of so many rows by the power law through two measurements; the power is from 0 to 2.

    Examples
    --------
    >>> round(power((100, 1.0), (200, 2.0), 800), 6), power((100, 1.0), (200, 1.0), 800)
    (8.0, 1.0)
    """
    (n, first), (m, second) = few, many
    if m <= n or min(first, second) <= 0:
        return second * rows / m
    exponent = min(max(math.log(second / first) / math.log(m / n), 0.0), 2.0)
    return float(second * (rows / m) ** exponent)
