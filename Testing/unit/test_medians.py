import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from MicrocalcSegmentationLib.medians import median


@settings(deadline=None)
@given(
    st.sampled_from(("float32", "float64")).flatmap(
        lambda kind: arrays(
            kind,
            array_shapes(max_dims=2, max_side=40),
            elements=st.floats(-(2.0**99), 2.0**99, width=32),
        )
    )
)
def test_is_numpys_median_to_the_bit(values):
    expected = np.median(values)
    found = median(values)
    assert found == expected
    assert found.dtype == expected.dtype


@pytest.mark.parametrize("count", [1_000_000, 1_000_001])
def test_is_numpys_median_of_many_values(count):
    values = np.random.default_rng(0).normal(size=count).astype(np.float32)
    assert median(values) == np.median(values)
