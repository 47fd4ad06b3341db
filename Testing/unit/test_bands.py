"""Work in bands: every row once, whatever the number of cores, and errors are not lost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import array_shapes, arrays
from MicrocalcSegmentationLib import bands
from MicrocalcSegmentationLib.bands import in_bands, in_bands_of


@pytest.fixture(autouse=True, scope="module")
def _low_bands():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(bands, "BAND_ROWS", 32)
        yield


@pytest.fixture(params=[1, 3])
def _cores(request, monkeypatch):
    monkeypatch.setattr(bands, "cores", lambda: request.param)


@pytest.mark.usefixtures("_cores")
@pytest.mark.parametrize("rows", [0, 1, 31, 32, 33, 500])
@pytest.mark.parametrize("each", [1, 5, 100])
def test_every_row_is_worked_on_once_in_bands_of_that_many_rows_of_the_image(rows, each):
    counts = np.zeros(rows, int)

    def work(band):
        counts[band] += 1
        assert band.stop - band.start <= max(1, 32 / each)

    in_bands(rows, work, each)
    assert (counts == 1).all()


@pytest.mark.usefixtures("_cores")
def test_what_is_raised_in_a_band_is_raised():
    def work(band):
        if band.start == 64:
            raise ValueError("band 64")

    with pytest.raises(ValueError, match="band 64"):
        in_bands(200, work)


@settings(deadline=None)
@given(arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=100)))
def test_parts_hold_all_of_a_mask_and_no_column_beside_it(mask):
    counts = np.zeros(mask.shape, int)

    def work(part):
        counts[part] += 1
        assert mask[part][:, [0, -1]].any(axis=0).all()

    in_bands_of(mask, work)
    assert (counts[mask] == 1).all()
    assert counts.max(initial=0) <= 1
