"""The process behind the window, run for real, with networks of a few lines."""

import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.gui import blocks, messages
from MicrocalcSegmentationLib.gui.client import Scored, Worker
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.pipeline import describe
from MicrocalcSegmentationLib.settings import Settings

FAKE = str(Path(__file__).parents[1] / "fake_worker.py")
PLACES = [(50, 20 + 10 * index) for index in range(8)]


@pytest.fixture
def worker():
    made = Worker([sys.executable, FAKE])
    yield made
    made.close()


@pytest.fixture
def mammogram():
    pixels = np.full((100, 120), 90, np.float32)
    for index, (row, col) in enumerate(PLACES):
        pixels[row - 1 : row + 2, col - 1 : col + 2] = 199 - 8 * index
    valid = np.ones(pixels.shape, bool)
    valid[:, 110:] = False
    return Mammogram(
        pixels,
        Geometry((0.1, 0.1), (1.0, 2.0, 3.0), ((0, 1, 0), (0, 0, -1), (-1, 0, 0))),
        Source("film", None, {"PatientID": "P 1"}),
        valid=valid,
        magnification=1.25,
        view="CC",
        laterality="R",
    )


def block_of(mammogram):
    block = blocks.Block(mammogram.pixels.shape)
    block["pixels"][...] = mammogram.pixels
    block["valid"][...] = mammogram.valid
    return block


def answer_of(worker, seconds=20.0):
    """Poll as a timer does until the job ends; also everything that was answered."""
    until, seen = time.monotonic() + seconds, []
    while time.monotonic() < until:
        seen += worker.poll()
        if seen and not worker.running:
            return seen[-1], seen
        time.sleep(0.02)
    raise AssertionError(f"no end within {seconds} s: {seen}")


def wait_for(worker, kind, seconds=20.0):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if any(answer.kind == kind for answer in worker.poll()):
            return
        time.sleep(0.02)
    raise AssertionError(f"no {kind} within {seconds} s")


def start(worker, mammogram, model=None):
    block = block_of(mammogram)
    worker.score(mammogram, block, Settings(threshold=0.5), model)
    return block


def findings_of(answer, mammogram, block):
    scored = Scored(mammogram, block, answer.content["scores"])
    return scored, messages.unpack_findings(answer.content["findings"], scored.scores)[0]


def test_the_worker_gives_what_the_library_gives(worker, mammogram):
    block = start(worker, mammogram)
    answer, seen = answer_of(worker)
    scored, findings = findings_of(answer, mammogram, block)
    expected = describe(scored.scores, 0.5)
    np.testing.assert_array_equal(findings.labels, expected.labels)
    assert findings.calcifications == expected.calcifications
    assert len(findings.calcifications) == 7  # the eighth is below 0.5
    (cluster,), (other,) = findings.clusters, expected.clusters
    np.testing.assert_allclose(cluster.outline_rc, other.outline_rc)
    assert (cluster.count, cluster.area_mm2) == (other.count, other.area_mm2)
    assert findings.settings == expected.settings
    assert findings.arteries_model == "arteries 7"
    assert findings.odds_divisor == scored.scores.odds_divisor == 2.0
    assert [one.tolist() for one in scored.scores.arteries] == [
        [[0.1, 2.5], [3, 4.7]],
        [[7, 1 / 3]],
    ]
    assert any(one.kind == "progress" for one in seen) or len(seen) == 1


def test_a_mammogram_survives_the_way_to_the_worker(mammogram):
    block = block_of(mammogram)
    attached = blocks.Block(block.shape, block.place)
    back = messages.unpack_mammogram(messages.pack_mammogram(mammogram), attached)
    np.testing.assert_array_equal(back.pixels, mammogram.pixels)
    np.testing.assert_array_equal(back.valid, mammogram.valid)
    assert (back.geometry, back.source) == (mammogram.geometry, mammogram.source)
    assert (back.magnification, back.view, back.laterality) == (1.25, "CC", "R")
    assert back.presentation is None


def test_the_process_stays_for_the_next_job(worker, mammogram):
    versions = []
    for _ in range(2):
        start(worker, mammogram)
        answer, _ = answer_of(worker)
        versions.append(answer.content["scores"]["model_version"])
    assert versions == [str(worker.pid)] * 2


def test_another_threshold_needs_no_networks(worker, mammogram):
    block = start(worker, mammogram)
    answer, _ = answer_of(worker)
    scored, _ = findings_of(answer, mammogram, block)
    worker.describe(scored, 0.8)
    answer, _ = answer_of(worker)
    _, findings = findings_of(answer, mammogram, block)
    assert len(findings.calcifications) == 3
    assert findings.threshold == 0.8
    assert findings.clusters == ()


def test_a_drawn_mask_is_measured(worker, mammogram):
    block = start(worker, mammogram)
    answer, _ = answer_of(worker)
    scored, _ = findings_of(answer, mammogram, block)
    block["drawn"][70:73, 60:63] = True
    worker.describe_mask(scored)
    answer, _ = answer_of(worker)
    _, findings = findings_of(answer, mammogram, block)
    assert [(mc.row, mc.col) for mc in findings.calcifications] == [(71, 61)]


@pytest.mark.parametrize(
    ("model", "kind", "message"),
    [
        ("refuse", "refused", "film: cannot be used; try another"),
        ("fail", "failed", "ValueError: something"),
    ],
)
def test_a_refusal_or_a_failure_is_told_and_the_process_stays(
    worker, mammogram, model, kind, message
):
    start(worker, mammogram, model)
    answer, _ = answer_of(worker)
    assert (answer.kind, answer.content["message"]) == (kind, message)
    pid = worker.pid
    start(worker, mammogram)
    answer, _ = answer_of(worker)
    assert answer.kind == "done"
    assert worker.pid == pid


@pytest.mark.parametrize(("model", "stays"), [("slow", True), ("deaf", False)])
def test_cancel_takes_less_than_a_second_also_where_nobody_listens(worker, mammogram, model, stays):
    start(worker, mammogram, model)
    wait_for(worker, "progress")
    pid, began = worker.pid, time.monotonic()
    worker.cancel()
    _, seen = answer_of(worker)
    assert [one.kind for one in seen] == ["cancelled"]
    assert time.monotonic() - began < 1
    assert is_gone(pid) != stays
    start(worker, mammogram)
    assert answer_of(worker)[0].kind == "done"


def is_gone(pid):
    """No process, and no zombie of one."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("who", ["itself", "from outside"])
def test_a_killed_worker_is_told_of_and_the_next_run_works(worker, mammogram, who):
    start(worker, mammogram, "die" if who == "itself" else "deaf")
    pid = worker.pid
    if who == "from outside":
        wait_for(worker, "progress")
        os.kill(pid, signal.SIGKILL)
    answer, _ = answer_of(worker)
    assert answer.kind == "failed"
    assert answer.content["message"] == (
        "the working process ended by itself (signal SIGKILL); most often for lack of memory: "
        "close other programs and run it again"
    )
    assert is_gone(pid)
    start(worker, mammogram)
    assert answer_of(worker)[0].kind == "done"


def test_a_worker_killed_between_runs_is_replaced(worker, mammogram):
    start(worker, mammogram)
    answer_of(worker)
    pid = worker.pid
    os.kill(pid, signal.SIGKILL)
    time.sleep(0.2)
    start(worker, mammogram)
    assert answer_of(worker)[0].kind == "done"
    assert worker.pid != pid


def test_a_worker_that_cannot_start_is_told_of(mammogram):
    worker = Worker([sys.executable, FAKE, "broken"])
    start(worker, mammogram)
    answer, _ = answer_of(worker)
    assert answer.kind == "failed"
    assert "exit code 1" in answer.content["message"]
    assert "cannot start: no library" in answer.content["log"]
    assert worker.pid is None


def test_polling_never_holds_the_window_up(worker, mammogram):
    start(worker, mammogram, "slow")
    longest = 0.0
    for _ in range(30):
        began = time.monotonic()
        worker.poll()
        longest = max(longest, time.monotonic() - began)
        time.sleep(0.02)
    assert longest < 0.1


def test_the_worker_ends_with_its_window(mammogram):
    worker = Worker([sys.executable, FAKE])
    start(worker, mammogram, "deaf")
    wait_for(worker, "progress")
    process = worker._process
    process.stdin.close()
    assert process.wait(5) == 0
    worker.close()


def test_a_second_job_waits_for_the_first(worker, mammogram):
    start(worker, mammogram, "slow")
    with pytest.raises(RuntimeError, match="a job already"):
        start(worker, mammogram)


def test_a_block_leaves_nothing_behind_but_its_arrays(mammogram):
    block = block_of(mammogram)
    path, pixels = Path(block.place), block["pixels"]
    if os.name != "nt":
        assert path.exists()
    block.close()
    assert not path.exists()
    np.testing.assert_array_equal(pixels, mammogram.pixels)


def test_blocks_of_killed_programs_are_removed(mammogram, tmp_path, monkeypatch):
    monkeypatch.setattr(blocks, "_MEMORY_FOLDER", tmp_path)
    dead = next(pid for pid in range(99999, 1, -1) if is_gone(pid))
    abandoned = tmp_path / f"microcalc-{dead}-abc"
    ours = tmp_path / f"microcalc-{os.getpid()}-abc"
    for path in (abandoned, ours):
        path.write_bytes(b"x")
    block = block_of(mammogram)
    assert not abandoned.exists()
    assert ours.exists()
    block.close()
