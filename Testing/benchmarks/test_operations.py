"""Operations are counted right, or a share of the machine's rate would mean nothing."""

import sys
from pathlib import Path

import numpy as np
import pytest
from MicrocalcSegmentationLib.networks import Architecture

sys.path.insert(0, str(Path(__file__).parent))  # the benchmarks are scripts, no package
from operations import of_layers


@pytest.mark.parametrize(
    ("step", "per_answer"),
    [
        # Convolutions of 16, 32, 32, 32, 32, 32 channels, 64 features and a logit, at every pixel.
        (1, 9 * 16 + 9 * 16 * 32 + 4 * 9 * 32 * 32 + 4 * 32 * 64 + 64),
        # 24 x 24 pixels a window; the second layer at a quarter of them, two at a sixteenth,
        # and then a block of its own for each window: 4 x 4, 2 x 2 and one place.
        (
            24,
            576 * 9 * 16
            + 144 * 9 * 16 * 32
            + 36 * 2 * 9 * 32 * 32
            + (16 + 4) * 9 * 32 * 32
            + 4 * 32 * 64
            + 64,
        ),
    ],
)
def test_operations_of_a_large_tile_are_those_of_its_answers(step, per_answer):
    architecture = Architecture()
    count = 4000 if step == 1 else 400
    side = step * (count - 1) + architecture.seen_side
    counted = sum(of_layers(architecture, step, (side, side)))
    assert counted == pytest.approx(2 * per_answer * count**2, rel=0.02)
    assert np.isfinite(counted)
