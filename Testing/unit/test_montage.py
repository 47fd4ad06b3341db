import numpy as np
import pytest
from MicrocalcSegmentationLib.montage import Montage


@pytest.mark.parametrize("apart", [1, 3])
def test_parts_lie_apart_from_one_another_and_from_the_border(apart):
    parts = [np.full(shape, number) for number, shape in enumerate([(2, 3), (4, 1), (1, 1)], 1)]
    montage = Montage([part.shape for part in parts], apart)
    laid = montage.lay(parts, 0)
    assert laid.shape == montage.shape
    for place, part in zip(montage.places, parts, strict=True):
        assert (laid[place] == part).all()
        rows, cols = (slice(side.start - apart, side.stop + apart) for side in place)
        around = laid[rows, cols]
        assert around.shape == tuple(size + 2 * apart for size in part.shape)
        assert np.count_nonzero(around) == part.size
