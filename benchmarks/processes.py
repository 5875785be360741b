"""Run a command and measure the whole process: wall and CPU seconds, peak memory, and when it lists anomalous rows.

A new process counts the memory of the one that starts it as its own peak. So a command is started by a small process:
this file, which imports the standard library alone.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

NAN = float("nan")
LISTED = re.compile(r"\s*\d+\s+-?\d")
"""A line of a list of anomalous rows, as `anomalo scan` prints it: a row's number, then its score."""


@dataclass
class Measured:
    """What a process took.

    Attributes
    ----------
    wall_s, cpu_s : float
        Seconds, start included; CPU seconds are user and system time, of its children too.
    peak_mib : float
        The most memory that it, or one of its children, held.
    alert_s, alert_cpu_s : float
        The same seconds until the first anomalous row was printed; NaN if none was, CPU also where there is no /proc.
    status : str
        "ok", or how it ended.
    """

    wall_s: float = NAN
    cpu_s: float = NAN
    peak_mib: float = NAN
    alert_s: float = NAN
    alert_cpu_s: float = NAN
    status: str = "ok"


def measured(command: Sequence[str], limit: float) -> Measured:
    """Run a command in this process's folder and environment; after `limit` seconds it is ended."""
    found = Measured()
    with tempfile.TemporaryFile() as errors:
        started = time.perf_counter()
        child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace")
        timer = threading.Timer(limit, child.kill)
        timer.start()
        assert child.stdout is not None
        with child.stdout:
            for line in child.stdout:
                if found.alert_s != found.alert_s and LISTED.match(line):
                    found.alert_s, found.alert_cpu_s = time.perf_counter() - started, cpu_seconds(child.pid)
        _, status, usage = os.wait4(child.pid, 0)
        found.wall_s = time.perf_counter() - started
        child.returncode = os.waitstatus_to_exitcode(status)
        timer.cancel()
        errors.seek(0)
        lines = errors.read().decode(errors="replace").splitlines()
    found.cpu_s = usage.ru_utime + usage.ru_stime
    found.peak_mib = usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    if child.returncode == -signal.SIGKILL and found.wall_s >= limit:
        found.status = f"longer than {limit:g} s"
    elif child.returncode:
        found.status = f"exit {child.returncode}: {lines[-1] if lines else ''}"
    return found


def cpu_seconds(pid: int) -> float:
    """Return the CPU seconds of a process that runs and of its ended children; NaN where there is no /proc."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return NAN
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def launch(command: Sequence[str], limit: float, folder: Path, environment: Mapping[str, str]) -> Measured:
    """Measure a command that a small process starts, in a folder and an environment."""
    launcher = [sys.executable, "-S", "-E", str(Path(__file__).resolve()), str(limit), *command]
    done = subprocess.run(launcher, check=True, stdout=subprocess.PIPE, cwd=folder, env=environment, text=True)
    return Measured(**json.loads(done.stdout))


if __name__ == "__main__":
    print(json.dumps(asdict(measured(sys.argv[2:], float(sys.argv[1])))))
