"""What every image must satisfy before the method may see it."""

from collections.abc import Sequence

import numpy as np

from ..errors import InputError

MIN_SIDE_PIXELS = 49  # the largest of the method's patches (Valvano et al. 2019)
# A 24 x 30 cm receptor at the finest spacing that `spacing` takes for a mammogram's has
# 15,000 rows; a header that claims more is damaged, or wants our memory.
MAX_SIDE_PIXELS = 15_000


def require_plausible_size(name: str, shape: Sequence[int]) -> None:
    """Refuse (rows, cols) that cannot be a mammogram's; nothing is allocated before."""
    rows, cols = shape
    if min(rows, cols) < MIN_SIDE_PIXELS:
        raise InputError(
            f"{name}: {rows} x {cols} pixels is smaller than one patch of "
            f"{MIN_SIDE_PIXELS} x {MIN_SIDE_PIXELS}; give a whole mammogram"
        )
    if max(rows, cols) > MAX_SIDE_PIXELS:
        raise InputError(
            f"{name}: its header claims {rows} x {cols} pixels, more than any mammogram has "
            f"({MAX_SIDE_PIXELS} a side); the file is damaged or not a mammogram"
        )


def require_usable_values(name: str, values: np.ndarray) -> None:
    """Refuse image values (padding left out) that are not finite, or all the same."""
    require_usable_range(name, values.min(), values.max())


def require_usable_range(name: str, lowest: float, highest: float) -> None:
    """`require_usable_values`, told the lowest and the highest value that there is."""
    # NaN and infinity show in one of the two.
    if not (np.isfinite(lowest) and np.isfinite(highest)):
        raise InputError(
            f"{name}: some pixels are NaN or infinite; replace them or export the image again"
        )
    if lowest == highest:
        raise InputError(
            f"{name}: all pixels have the same value, so there is nothing to find; "
            "check that the export holds the image"
        )
