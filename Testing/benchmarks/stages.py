"""From file to findings: how long each stage takes, warm and in a fresh process."""

import os
import subprocess
import sys
import tempfile
import time

from MicrocalcSegmentationLib import read_mammogram, segment
from MicrocalcSegmentationLib.export import write_findings

_COLD = """
import sys
from MicrocalcSegmentationLib import load_model, read_mammogram, segment
segment(read_mammogram(sys.argv[1]), load_model(sys.argv[2]))
"""


class StageClock:
    """A `Progress` that notes how long the work stays under each text."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self._text, self._since = None, 0.0

    def report(self, fraction: float, text: str) -> None:
        now = time.perf_counter()
        if self._text is not None:
            self.seconds[self._text] = self.seconds.get(self._text, 0.0) + now - self._since
        self._text, self._since = text, now


def warm_stages(path, model, folder, repeats: int) -> tuple[dict[str, float], object]:
    """Seconds of each stage in the median of some runs, and the findings."""
    runs, findings = [], None
    for _ in range(repeats + 1):  # the first opens the networks, and does not count
        clock = StageClock()
        clock.report(0, "reading")
        mammogram = read_mammogram(path)
        findings = segment(mammogram, model, progress=clock)
        runs.append(clock.seconds)
    middle = sorted(runs[1:], key=lambda stages: sum(stages.values()))[repeats // 2]
    started = time.perf_counter()
    write_findings(findings, folder / "findings")
    return middle | {"writing (not part of the sum)": time.perf_counter() - started}, findings


def cold_run(path, model, repeats: int) -> tuple[float, float]:
    """(seconds, peak MiB) of a fresh process from its start to the findings, the median run.

    A run before, which does not count, compiles Python's files, as installing does.
    """
    command = [sys.executable, "-c", _COLD, str(path), str(model.folder)]
    runs = []
    with tempfile.TemporaryDirectory() as compiled:
        environment = os.environ | {"PYTHONPYCACHEPREFIX": compiled}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for _ in range(repeats + 1):
            started = time.perf_counter()
            process = subprocess.Popen(command, env=environment)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            if process.returncode:
                raise subprocess.CalledProcessError(process.returncode, command)
            runs.append((time.perf_counter() - started, usage.ru_maxrss / 1024))
    return sorted(runs[1:])[repeats // 2]
