"""From file to findings: how long each stage takes, warm and in a fresh process."""

import resource
import subprocess
import sys
import time

from MicrocalcSegmentationLib import read_mammogram, segment
from MicrocalcSegmentationLib.export import write_findings

_COLD = """
import sys
from MicrocalcSegmentationLib import load_model, read_mammogram, segment
segment(read_mammogram(sys.argv[1]), load_model())
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
    """Seconds of each stage in the quickest of some runs, and the findings."""
    best, findings = None, None
    for _ in range(repeats + 1):  # the first opens the networks, and does not count
        clock = StageClock()
        clock.report(0, "reading")
        mammogram = read_mammogram(path)
        findings = segment(mammogram, model, progress=clock)
        if best is None or sum(clock.seconds.values()) < sum(best.values()):
            best = clock.seconds
    started = time.perf_counter()
    write_findings(findings, folder / "findings")
    return best | {"writing (not part of the sum)": time.perf_counter() - started}, findings


def cold_run(path) -> tuple[float, float]:
    """(seconds, peak MiB) of a fresh process from its start to the findings."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", _COLD, str(path)], check=True)
    seconds = time.perf_counter() - started
    return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
