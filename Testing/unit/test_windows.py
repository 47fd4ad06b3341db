import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from MicrocalcSegmentationLib.errors import Cancelled
from MicrocalcSegmentationLib.inference.windows import (
    Work,
    candidate_mask,
    score_patches,
    score_pixels,
    window_grid,
    window_starts,
)
from MicrocalcSegmentationLib.networks import Architecture
from MicrocalcSegmentationLib.progress import Silent

SIDES = st.sampled_from([29, 39, 49])


def work(batch_size=64, progress=None):
    return Work(batch_size, progress or Silent(), "testing")


def centre(patches):
    return patches[:, patches.shape[1] // 2, patches.shape[2] // 2]


@given(SIDES, st.integers(0, 300))
def test_windows_overlap_by_half_and_leave_no_pixel_out(side, extra):
    size = side + extra
    starts = window_starts(size, side)
    assert starts[0] == 0
    assert starts[-1] == size - side
    steps = np.diff(starts)
    assert (steps[:-1] == side // 2).all()
    assert (steps <= side // 2).all()
    assert (steps > 0).all()


def test_windows_of_49_start_every_24_pixels_and_the_last_one_at_the_border():
    assert window_starts(130, 49).tolist() == [0, 24, 48, 72, 81]


@given(SIDES, st.integers(0, 80), st.integers(0, 80), st.randoms(use_true_random=False))
def test_exactly_the_windows_with_breast_in_them_are_scanned(side, rows, cols, random):
    inside = np.zeros((side + rows, side + cols), bool)
    inside[random.randrange(side + rows), random.randrange(side + cols)] = True
    found = {tuple(start) for start in window_grid(inside, side)}
    expected = {
        (row, col)
        for row in window_starts(side + rows, side)
        for col in window_starts(side + cols, side)
        if inside[row : row + side, col : col + side].any()
    }
    assert found == expected
    covered = candidate_mask(inside.shape, window_grid(inside, side), slice(None), side)
    assert covered[inside].all()


def test_background_windows_are_never_given_to_the_network():
    seen = []

    def predict(patches):
        seen.append(len(patches))
        return np.zeros(len(patches))

    inside = np.zeros((490, 490), bool)
    inside[:10, :10] = True
    starts = window_grid(inside, 49)
    score_patches(np.zeros(inside.shape, np.float32), starts, Architecture(49), predict, work())
    assert sum(seen) == 1


def test_each_candidate_pixel_is_classified_once_by_the_patch_around_it():
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(90, 77)).astype(np.float32)
    where = rng.random(pixels.shape) < 0.2
    where[0, 0] = where[-1, -1] = True
    given_patches = []

    def predict(patches):
        given_patches.append(len(patches))
        return centre(patches)

    scores = score_pixels(pixels, where, Architecture(49), predict, work())
    assert np.array_equal(scores, np.where(where, pixels, 0))
    assert sum(given_patches) == where.sum()


def test_the_batch_size_changes_nothing():
    pixels = np.random.default_rng(1).normal(size=(80, 80)).astype(np.float32)
    where = np.ones(pixels.shape, bool)

    def mean(patches):
        return patches.mean(axis=(1, 2))

    first, second = (
        score_pixels(pixels, where, Architecture(29), mean, work(size)) for size in (7, 5000)
    )
    assert np.array_equal(first, second)


def test_candidates_are_the_union_of_positive_windows():
    starts = np.array([[0, 0], [0, 24], [30, 30]])
    mask = candidate_mask((80, 80), starts, np.array([True, False, True]), 49)
    expected = np.zeros((80, 80), bool)
    expected[:49, :49] = expected[30:79, 30:79] = True
    assert np.array_equal(mask, expected)


def test_cancelling_stops_between_batches():
    class Stop:
        def report(self, fraction, text):
            raise Cancelled

    calls = []

    def predict(patches):
        calls.append(1)
        return np.zeros(len(patches))

    pixels = np.zeros((60, 60), np.float32)
    with pytest.raises(Cancelled):
        score_pixels(
            pixels, np.ones(pixels.shape, bool), Architecture(29), predict, work(10, Stop())
        )
    assert len(calls) == 1
