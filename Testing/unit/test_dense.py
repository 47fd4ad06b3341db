"""Sharing the work of patches changes no answer: ONNX graphs against the reference.

The graphs that answer single patches are held against Keras in Testing/networks.
"""

import hashlib
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.errors import Cancelled
from MicrocalcSegmentationLib.inference.dense import score_pixels_dense, score_windows
from MicrocalcSegmentationLib.inference.engines.onnx_engine import open_network
from MicrocalcSegmentationLib.inference.windows import (
    Work,
    score_patches,
    score_pixels,
    window_grid,
)
from MicrocalcSegmentationLib.model import Model, load_model
from MicrocalcSegmentationLib.networks import Architecture
from MicrocalcSegmentationLib.onnx_form import onnx_bytes
from MicrocalcSegmentationLib.progress import Silent

WORK = Work(512, Silent(), "testing")
CHANNELS = (4, 5, 6, 7, 6, 5)  # all different from their neighbours, or a mix-up would pass


def random_weights(architecture, seed=0):
    """Of a size that spreads the answers, with normalisation that is not the identity."""
    rng = np.random.default_rng(seed)
    weights = {}
    for name, shape in architecture.weight_shapes.items():
        role = name.split("/")[1]
        if role == "kernel":
            values = rng.normal(0, np.sqrt(2 / np.prod(shape[:3])), shape)
        elif role in ("gamma", "moving_variance"):
            values = rng.uniform(0.5, 1.5, shape)
        else:
            values = rng.normal(0, 0.3, shape)
        weights[name] = values.astype(np.float32)
    return weights


def opened(folder, architecture, which, seed=0):
    """A network with random weights in ONNX Runtime."""
    weights = random_weights(architecture, seed)
    model = Model("random", "1", folder, {which: architecture}, 0.5, 0.5)
    for form, step in (("", None), ("-shared", architecture.shared_step(which))):
        if form == "" or step:
            name = f"{which}{form}.onnx"
            model.digests[name] = _written(folder / name, onnx_bytes(architecture, weights, step))
    return open_network(model, which, "cpu")


def _written(path: Path, content: bytes) -> str:
    path.write_bytes(content)
    return hashlib.sha256(content).hexdigest()


@pytest.fixture(scope="module")
def networks(tmp_path_factory):
    """(which, side) -> network, for each patch side that windows can share work at, and others."""
    return {
        (which, side): opened(
            tmp_path_factory.mktemp("pair"), Architecture(side, "valid", CHANNELS, 8), which, side
        )
        for which in ("detector", "segmentator")
        for side in (29, 33, 39, 41, 49)
    }


def with_tiles_of(network, pixels, lanes=3):
    """The same network, in tiles of about that many pixels, so many of them at a time."""
    return replace(network, pixels_at_once=pixels, lanes=lanes)


SIDES = st.sampled_from([29, 33, 39, 41, 49])
TILE_PIXELS = st.sampled_from([64, 900, 4000, 30_000, 10**6])


@settings(deadline=None, max_examples=40)
@given(SIDES, st.integers(0, 90), st.integers(0, 150), TILE_PIXELS, st.integers(0, 2**31))
def test_windows_have_the_references_answers(networks, side, rows, cols, tile_pixels, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.normal(0, 0.5, (side + rows, side + cols)).astype(np.float32)
    inside = np.zeros(pixels.shape, bool)
    inside[rng.integers(pixels.shape[0]) :, : rng.integers(1, pixels.shape[1] + 1)] = True
    inside[0, 0] = True
    network = with_tiles_of(networks["detector", side], tile_pixels)
    starts = window_grid(inside, side)
    reference = score_patches(pixels, starts, Architecture(side), network.patches, WORK)
    assert np.abs(score_windows(pixels, starts, network, WORK) - reference).max() < 1e-4


def test_windows_flush_with_the_border_share_their_work_too(networks):
    def patches(batch):
        raise AssertionError(f"{len(batch)} patches were evaluated one by one")

    network = replace(networks["detector", 49], patches=patches)
    pixels = np.random.default_rng(7).normal(0, 0.5, (49 + 24 + 5, 49 + 48 + 7)).astype(np.float32)
    starts = window_grid(np.ones(pixels.shape, bool), 49)
    assert (starts % 24 != 0).any()
    score_windows(pixels, starts, network, WORK)


def test_a_graph_answers_images_of_a_batch_one_after_the_other(tmp_path):
    architecture = Architecture(49, "valid", CHANNELS, 8)
    opened(tmp_path, architecture, "detector")
    session = onnxruntime.InferenceSession(tmp_path / "detector-shared.onnx")
    images = (
        np.random.default_rng(8).normal(0, 0.5, (3, 1, 46 + 24, 46 + 24 * 4)).astype(np.float32)
    )
    together = session.run(None, {"pixels": images})[0]
    alone = [session.run(None, {"pixels": image[None]})[0] for image in images]
    assert np.abs(together - np.concatenate(alone)).max() < 1e-6
    assert together.shape == (3 * 2 * 5,)


@settings(deadline=None, max_examples=40)
@given(SIDES, st.integers(0, 60), st.integers(0, 70), TILE_PIXELS, st.integers(0, 2**31))
def test_pixels_have_the_references_answers(networks, side, rows, cols, tile_pixels, seed):
    rng = np.random.default_rng(seed)
    pixels = rng.normal(0, 0.5, (side + rows, side + cols)).astype(np.float32)
    where = np.zeros(pixels.shape, bool)
    for _ in range(rng.integers(1, 4)):
        row, col = (rng.integers(size) for size in where.shape)
        where[row : row + 20, col : col + 30] = True
    where[-1, -1] = where[0, 0] = True
    network = with_tiles_of(networks["segmentator", side], tile_pixels)
    reference = score_pixels(pixels, where, Architecture(side), network.patches, WORK)
    dense = score_pixels_dense(pixels, where, network, WORK)
    assert np.abs(dense - reference).max() < 1e-4
    assert not dense[~where].any()


@pytest.mark.parametrize("which", ["detector", "segmentator"])
def test_random_answers_are_spread_or_the_comparison_would_say_nothing(networks, which):
    pixels = np.random.default_rng(3).normal(0, 0.5, (200, 49, 49)).astype(np.float32)
    assert np.std(networks[which, 49].patches(pixels)) > 0.03


def test_shipped_weights_have_the_references_answers():
    model = load_model()
    rng = np.random.default_rng(4)
    pixels = rng.normal(0, 1.2, (171, 215)).astype(np.float32)
    for row, col in rng.integers(20, 150, (12, 2)):
        pixels[row : row + 4, col : col + 3] += rng.uniform(2, 8)
    detector = open_network(model, "detector", "cpu")
    starts = window_grid(np.ones(pixels.shape, bool), 49)
    reference = score_patches(pixels, starts, Architecture(49), detector.patches, WORK)
    assert np.abs(score_windows(pixels, starts, detector, WORK) - reference).max() < 1e-4
    segmentator = open_network(model, "segmentator", "cpu")
    where = np.zeros(pixels.shape, bool)
    where[:70, :80] = where[-30:, -60:] = True
    reference = score_pixels(pixels, where, Architecture(49), segmentator.patches, WORK)
    assert np.abs(score_pixels_dense(pixels, where, segmentator, WORK) - reference).max() < 1e-4
    assert reference.max() > 0.9  # a bright speck
    assert np.median(reference[where]) < 0.1


def test_only_n_of_half_a_side_that_the_stride_divides_shares_windows():
    shares = {side: Architecture(side).shared_step("detector") for side in (29, 33, 39, 41, 49)}
    assert shares == {29: None, 33: 16, 39: None, 41: 20, 49: 24}
    assert Architecture(49, "same").shared_step("segmentator") is None


class Counting:
    """Answers 0 and notes how many pixels it was given."""

    def __init__(self, network):
        self.network, self.pixels = network, 0

    def __call__(self, pixels):
        self.pixels += pixels.size
        counts = [
            (size - self.network.architecture.seen_side) // self.network.step + 1
            for size in pixels.shape
        ]
        return np.zeros(counts, np.float32)


def counted(network, score, *of):
    counting = Counting(network)
    score(*of, replace(network, shared=counting), WORK)
    return counting.pixels


def test_background_is_never_computed(networks):
    """Ten times the image around the same breast takes not one pixel more."""
    detector, segmentator = networks["detector", 49], networks["segmentator", 49]
    computed = set()
    for size in (600, 6000):
        pixels = np.zeros((size, size), np.float32)
        inside = np.zeros(pixels.shape, bool)
        inside[48:400, 48:300] = True
        starts = window_grid(inside, 49)
        computed.add(
            (
                counted(detector, score_windows, pixels, starts),
                counted(segmentator, score_pixels_dense, pixels, inside),
            )
        )
    assert len(computed) == 1
    assert all(pixels < 2 * inside.sum() for pixels in computed.pop())


def test_no_candidates_take_no_work(networks):
    pixels = np.zeros((200, 200), np.float32)
    nowhere = np.zeros(pixels.shape, bool)
    assert counted(networks["segmentator", 49], score_pixels_dense, pixels, nowhere) == 0
    scores = score_windows(pixels, np.zeros((0, 2), int), networks["detector", 49], WORK)
    assert len(scores) == 0


@pytest.mark.parametrize("lanes", [1, 2])
def test_cancelling_stops_between_tiles(networks, lanes):
    class Stop:
        def report(self, fraction, text):
            assert 0 < fraction <= 1
            raise Cancelled

    network = with_tiles_of(networks["segmentator", 49], 900, lanes)
    counting = Counting(network)
    pixels = np.zeros((300, 300), np.float32)
    with pytest.raises(Cancelled):
        score_pixels_dense(
            pixels,
            np.ones(pixels.shape, bool),
            replace(network, shared=counting),
            Work(1, Stop(), "testing"),
        )
    assert 0 < counting.pixels < pixels.size


def test_no_more_tiles_are_computed_at_a_time_than_there_are_lanes(networks):
    now, most, lock = [0], [0], threading.Lock()
    network = with_tiles_of(networks["segmentator", 49], 900)

    def shared(pixels):
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.002)
        with lock:
            now[0] -= 1
        return network.shared(pixels)

    pixels = np.zeros((200, 200), np.float32)
    where = np.ones(pixels.shape, bool)
    score_pixels_dense(pixels, where, replace(network, shared=shared), WORK)
    assert most[0] == 3


@pytest.mark.parametrize("error", [MemoryError, IndexError])
@pytest.mark.parametrize("first", [True, False])
def test_what_fails_in_one_lane_stops_the_others(networks, error, first):
    begun, own = [], threading.get_ident()

    def shared(pixels):
        begun.append(pixels.size)
        if (threading.get_ident() == own) == first:
            raise error("none left")
        time.sleep(0.002)
        return network.shared(pixels)

    network = with_tiles_of(networks["segmentator", 49], 900)
    pixels = np.zeros((200, 200), np.float32)
    where = np.ones(pixels.shape, bool)
    with pytest.raises(error, match="none left"):
        score_pixels_dense(pixels, where, replace(network, shared=shared), WORK)
    assert len(begun) < 20


def test_what_fails_in_a_lane_is_raised(networks):
    def shared(pixels):
        raise MemoryError("none left")

    network = replace(with_tiles_of(networks["segmentator", 49], 900), shared=shared)
    pixels = np.zeros((200, 200), np.float32)
    with pytest.raises(MemoryError, match="none left"):
        score_pixels_dense(pixels, np.ones(pixels.shape, bool), network, WORK)
