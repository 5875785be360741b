"""Whether torchrun started this command several times, to train with several processes."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable


def several() -> bool:
    """Whether torchrun started more than one process."""
    return "TORCHELASTIC_RUN_ID" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def with_others(verb: Callable[[], int]) -> int:
    """Run a verb in the first process while the others train with it; alone, if torchrun did not start several.

    Returns
    -------
    int
        The exit code.
    """
    if not several():
        return verb()
    # By name, so that no other command loads torch.
    code: int = importlib.import_module("anomalo.nn.distributed.processes").run_with_others(verb)
    return code
