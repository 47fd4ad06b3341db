"""Sliding is the reference in another order: the same numbers, whatever the shape."""

import numpy as np
import pytest
from MicrocalcSegmentationLib.inference.dense import BLOCK_PX, score_pixels_sliding
from MicrocalcSegmentationLib.inference.engines import map_predictor, patch_predictor
from MicrocalcSegmentationLib.inference.windows import Work, score_pixels
from MicrocalcSegmentationLib.model import load_model
from MicrocalcSegmentationLib.networks import build
from MicrocalcSegmentationLib.progress import Silent

WORK = Work(512, Silent(), "testing")


def both_ways(pixels, where, architecture, patch, slide):
    reference = score_pixels(
        pixels, where, architecture.patch_side, patch_predictor(patch, "cpu:0"), WORK
    )
    sides = (architecture.patch_side, architecture.seen_side)
    dense = score_pixels_sliding(pixels, where, sides, map_predictor(slide, "cpu:0"), WORK)
    return reference, dense


@pytest.mark.parametrize("shape", [(49, 49), (53, 131), (BLOCK_PX + 1, 50), (77, 2 * BLOCK_PX)])
def test_random_weights_agree_at_every_pixel(small, shape):
    rng = np.random.default_rng(3)
    pixels = rng.normal(0, 0.3, shape).astype(np.float32)  # more would saturate the softmax
    where = rng.random(shape) < 0.15
    where[0] = where[:, -1] = True
    patch, slide = build(small, "a"), build(small, "a", sliding=True)
    slide.set_weights(patch.get_weights())
    reference, dense = both_ways(pixels, where, small, patch, slide)
    assert np.abs(reference - dense).max() < 1e-4
    assert not dense[~where].any()
    assert np.ptp(reference[where]) > 0.01  # or the comparison would say nothing


def test_the_shipped_segmentator_agrees_at_every_pixel():
    model = load_model()
    rng = np.random.default_rng(4)
    pixels = rng.normal(0, 1.2, (70, 80)).astype(np.float32)
    pixels[30:34, 40:44] += 8
    where = np.ones(pixels.shape, bool)
    architecture = model.architectures["segmentator"]
    reference, dense = both_ways(
        pixels, where, architecture, model.segmentator, model.sliding_segmentator
    )
    assert np.abs(reference - dense).max() < 1e-4
    assert reference.max() > 0.9  # the bright speck
    assert np.median(reference) < 0.1
