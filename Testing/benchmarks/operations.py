"""How much arithmetic a dense pass does, whoever does it."""

import numpy as np
from MicrocalcSegmentationLib.networks import POOLED_AFTER, Architecture


def of_layers(architecture: Architecture, step: int, size: tuple[int, int]) -> list[float]:
    """Multiplications and additions of each of the eight layers over a tile of (rows, cols).

    step: pixels between answers, as of `inference.network.Network`.
    """
    counts = (1, *architecture.channels, architecture.features, 1)
    maps, spread, done = np.array(size, float), 1, []
    apart = None if step == 1 else step // architecture.stride
    windows, side = 1.0, None
    for number, kernel in enumerate((*architecture.kernels, 1), 1):
        if side is not None:  # each window has a block of its own
            side -= kernel - 1
            pixels = windows * side**2
        else:
            maps = maps - spread * (kernel - 1)
            pixels = float(np.prod(maps))
        done.append(2 * pixels * kernel**2 * counts[number - 1] * counts[number])
        if number in POOLED_AFTER:
            maps = maps - spread if step == 1 else maps // 2
            spread *= 2 if step == 1 else 1
        elif (
            apart
            and side is None
            and number > max(POOLED_AFTER)
            and _left(architecture, number) == apart
        ):
            windows, side = float(np.prod(maps // apart)), apart
    return done


def _left(architecture: Architecture, layers: int) -> int:
    """Side of a patch's own map after so many layers."""
    side = architecture.input_side
    for number, kernel in enumerate(architecture.kernels[:layers], 1):
        side -= kernel - 1
        side //= 2 if number in POOLED_AFTER else 1
    return side
