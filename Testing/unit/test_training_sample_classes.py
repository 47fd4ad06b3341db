"""Classes and zones of every pixel of an image, and the runs that they are stored as."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from MicrocalcSegmentationLib.training.samples.classes import (
    BREAST,
    C1,
    C2,
    C3,
    C4,
    CHEST,
    INSIDE,
    MC,
    OUTSIDE,
    REGION,
    SKIN,
    UNCERTAIN,
    class_map,
    zone_map,
)
from MicrocalcSegmentationLib.training.samples.writing import runs_of


@settings(deadline=None, max_examples=40)
@given(
    hnp.arrays(
        np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.integers(0, 4)
    ),
    st.sampled_from([3, 9, 13]),
)
def test_classes_are_what_a_look_at_every_patch_gives(labels, side):
    half = side // 2
    padded = np.pad(labels, max(half, 3))
    offset = max(half, 3)
    classes = class_map(labels, side)
    for (row, col), label in np.ndenumerate(labels):
        r, c = row + offset, col + offset
        patch = padded[r - half : r + half + 1, c - half : c + half + 1]
        around = padded[r - 3 : r + 4, c - 3 : c + 4]
        near = np.hypot(*np.mgrid[-3:4, -3:4]) <= 3
        if label == MC:
            expected = C1
        elif label == REGION:
            expected = 5
        elif label in (OUTSIDE, UNCERTAIN):
            expected = 0
        elif (around[near] == MC).any():
            expected = C2
        elif (patch == MC).any():
            expected = C3
        else:
            expected = 0 if np.isin(patch, (UNCERTAIN, REGION)).any() else C4
        assert classes[row, col] == expected


@settings(deadline=None, max_examples=40)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.integers(0, 2)))
def test_runs_are_the_map_itself(codes):
    back = np.zeros_like(codes)
    for code, row, col, length in runs_of(codes):
        assert (back[row, col : col + length] == 0).all()
        back[row, col : col + length] = code
    assert (back == codes).all()


def test_zones_are_skin_line_chest_wall_and_inside():
    labels = np.full((800, 600), BREAST, np.uint8)
    labels[:, 500:] = OUTSIDE  # skin at column 500; the image ends at the left and at the top
    zones = zone_map(labels, (0, 0, 800, 600), (900, 700))
    assert zones[400, 250] == INSIDE
    assert zones[400, 480] == zones[790, 250] == SKIN
    assert zones[400, 20] == zones[20, 250] == CHEST
    assert zones[20, 20] == CHEST
