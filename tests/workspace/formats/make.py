"""Make the files of the present formats, before one of them is raised: python tests/workspace/formats/make.py.

A saved model goes to `artefact-N/`, a workspace with a model and a run to `workspace-N/`; what is there already stays.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from anomalo.workspace import artifacts, database

HERE = Path(__file__).parent
TABLE = HERE / "table.csv"


def anomalo(*arguments: object) -> None:
    """Run a verb on the table as standard input, so that no path of this machine is stored."""
    with TABLE.open("rb") as table:
        subprocess.run([sys.executable, "-m", "anomalo", *map(str, arguments)], stdin=table, check=True)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "workspace"
        common = ("--workspace", home, "--device", "cpu", "--threads", 1)
        anomalo("fit", "-", "--as", "small", "--model", "linear", "--set", "epochs=5", "--id", "name", *common)
        anomalo("score", "-", "--with", "small", "--threshold", "budget=3", *common)
        shutil.rmtree(home / "unfinished", ignore_errors=True)
        for path, name in (
            (home / "models" / "small" / "1", f"artefact-{artifacts.FORMAT}"),
            (home, f"workspace-{database.FORMAT}"),
        ):
            if not (HERE / name).exists():
                shutil.copytree(path, HERE / name)


if __name__ == "__main__":
    main()
