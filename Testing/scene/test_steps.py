"""No single step of the window's work is long, however large the image."""

import sys
import time
from pathlib import Path

import numpy as np
import pytest
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.gui.client import Worker
from MicrocalcSegmentationLib.settings import Settings

FAKE = str(Path(__file__).parents[1] / "fake_worker.py")
SHAPE = (3000, 2400)


@pytest.fixture
def steps():
    from MicrocalcSegmentationLib.mrml import steps

    return steps


@pytest.fixture
def volume(mrml):
    from MicrocalcSegmentationLib.mrml.volumes import add_volume

    pixels = np.random.default_rng(0).integers(80, 95, SHAPE).astype(np.int16)
    for row in range(100, SHAPE[0] - 10, 300):
        for col in range(100, SHAPE[1] - 10, 300):
            pixels[row : row + 3, col : col + 3] = 190
    return add_volume(mrml.scene, pixels, Geometry((0.05, 0.05)), "film")


@pytest.fixture
def detection(slicer, mrml):
    from MicrocalcSegmentationLib.gui.detection import Detection

    made = Detection(mrml.scene, Worker([sys.executable, FAKE]))
    yield made
    made.close()


def seconds_of_steps(detection, volume, with_probability=True):
    """Of this thread's time, for each step of a detection; waiting left out."""
    from MicrocalcSegmentationLib.gui import jobs

    options = jobs.Options(Settings(threshold=0.5), None, with_probability)
    detection.start([volume], options)
    seconds = []
    while True:
        began = time.thread_time()
        try:
            told = next(detection._job)
        except StopIteration as end:
            seconds.append(time.thread_time() - began)
            ((_, findings),) = end.value.made
            break
        seconds.append(time.thread_time() - began)
        if told is jobs.WAIT:
            time.sleep(0.02)
    detection._end()
    assert len(findings.calcifications) == 80
    return seconds


def test_no_step_takes_most_of_the_time(detection, volume):
    seconds_of_steps(detection, volume)  # what is loaded and made once
    seconds = sorted(seconds_of_steps(detection, volume))
    # In one piece, reading or writing alone would be near half of it.
    assert seconds[-1] < 0.35 * sum(seconds)
    assert np.median(seconds) < 0.02 * sum(seconds)


def test_bands_are_all_rows_once_and_small(steps):
    values = np.zeros((1000, 4095), np.float32)
    covered = np.concatenate([np.arange(1000)[band] for band in steps.bands_of(values)])
    np.testing.assert_array_equal(covered, np.arange(1000))
    assert all(values[band].nbytes <= steps.STEP_BYTES for band in steps.bands_of(values))
    assert len(list(steps.bands_of(np.zeros((3, 10**7), np.float32)))) == 3


def test_the_scene_is_not_touched_before_all_is_ready(detection, volume):
    scene = volume.GetScene()
    from MicrocalcSegmentationLib.gui import jobs

    def state():
        nodes = (scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes()))
        return [(node.GetID(), node.GetMTime()) for node in nodes]

    before, changes = state(), []
    detection.start([volume], jobs.Options(Settings(threshold=0.5), None, True))
    while not detection._place.writing:
        assert not changes
        told = next(detection._job)
        if not detection._place.writing and state() != before:
            changes.append(told)
        if told is jobs.WAIT:
            time.sleep(0.02)
    assert changes == []
    assert state() != before
