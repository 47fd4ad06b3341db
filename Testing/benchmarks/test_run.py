"""The benchmark runs and tells everything; what it measures is nobody's to assert."""

import json
import re
import subprocess
import sys
from pathlib import Path

from MicrocalcSegmentationLib.model import DEFAULT_MODEL

RUN = Path(__file__).with_name("run.py")


def test_a_quick_run_writes_its_table_into_a_readme(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(
        "before\n<!-- benchmark: made by Testing/benchmarks/run.py -->\nold\n"
        "<!-- end of benchmark -->\nafter\n"
    )
    command = [sys.executable, RUN, "--quick", "--output", tmp_path, "--readme", readme]
    command += ["--model", DEFAULT_MODEL]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    text = readme.read_text()
    assert text.startswith("before\n")
    assert text.endswith("<!-- end of benchmark -->\nafter\n")
    assert "old" not in text
    for row in (
        *("reading", "finding the breast", "normalising", "detector", "segmentator", "measuring"),
        *("detector, dense, onnx", "segmentator, dense, keras", "patches, scaled", "U-Net"),
        *("processor", "peak memory", "fresh process", "times faster than the reference"),
        *("700 x 900", f"Model: {DEFAULT_MODEL}", "detector, conv1", "segmentator, **all**"),
    ):
        assert row in text
    shares = [row.split("|")[4] for row in text.splitlines() if ", conv" in row or ", fc" in row]
    assert len(shares) == 2 * 8
    # What is measured is nobody's to assert: on a busy machine a small layer's share rounds to 0.
    assert all(float(share.rstrip(" %")) >= 0 for share in shares)
    result = json.loads((tmp_path / "benchmark.json").read_text())
    assert all(len(curve) == 8 for curve in result["growth"].values())
    assert (tmp_path / "growth.png").stat().st_size > 1000


def test_simulating_tells_the_seconds_of_each_kind():
    command = [sys.executable, RUN.with_name("simulating.py"), "--quick", "--count", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    described, digital, film = done.stdout.splitlines()
    assert "processor" in described
    for line, kind in ((digital, "digital"), (film, "film")):
        seconds = r"\d+\.\d s \(\d+\.\d to \d+\.\d\), by the clock \d+\.\d s, 1 mammograms"
        assert re.fullmatch(rf"{kind} +600 x 400: {seconds}", line)
