"""When a device runs out of memory: smaller tiles, then the CPU, and the work goes on."""

import logging
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from ...errors import MicrocalcError
from ..network import Network, Predict

SMALLEST_TILE_PX = 64 * 64  # of answers; less than this fits on any GPU that fits the program

_log = logging.getLogger(__name__)


class OutOfMemory(Exception):
    """The device has no memory left for this many pixels; fewer may fit."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether a deep-learning library means that, in whatever words it says it."""
    text = f"{type(error).__name__} {error}".lower()
    signs = ("out of memory", "resource_exhausted", "resourceexhausted", "failed to allocate")
    return isinstance(error, MemoryError) or any(sign in text for sign in signs)


def careful(network: Network, on_cpu: Callable[[], Network] | None) -> Network:
    """The same network, which on OutOfMemory works in parts and at last on the CPU.

    on_cpu: opens the network there; None when it runs there already, and MicrocalcError is
    raised where even a small tile does not fit.
    """
    patches = _Careful(network.patches, on_cpu and (lambda: on_cpu().patches), _halved_batch)
    if network.shared is None:
        return replace(network, patches=patches)

    def halved(pixels):
        return _halved_image(pixels, network.architecture.seen_side, network.step)

    shared = _Careful(network.shared, on_cpu and (lambda: on_cpu().shared), halved)
    return replace(network, patches=patches, shared=shared)


class _Careful:
    """A `Predict` that halves its input as often as needed, and remembers what was too much."""

    def __init__(self, predict: Predict, on_cpu: Callable[[], Predict] | None, halve):
        self._predict, self._on_cpu, self._halve = predict, on_cpu, halve
        self._too_much = np.inf  # pixels

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        if pixels.size < self._too_much:
            try:
                return self._predict(pixels)
            except OutOfMemory as error:
                self._too_much = pixels.size
                _log.warning("no memory for %d pixels at once (%s)", pixels.size, error)
        halves = self._halve(pixels) if pixels.size > SMALLEST_TILE_PX else None
        if halves is not None:
            first, second, axis = halves
            return np.concatenate([self(first), self(second)], axis)
        self._go_on_on_the_cpu()
        return self(pixels)

    def _go_on_on_the_cpu(self) -> None:
        if self._on_cpu is None:
            raise MicrocalcError(
                "there is not enough memory to run the networks; close other programs"
            )
        _log.warning("the GPU has no memory for a small tile; going on, slower, on the CPU")
        self._predict, self._on_cpu, self._too_much = self._on_cpu(), None, np.inf


def _halved_batch(patches: np.ndarray):
    """Two batches and the axis to join their answers on; None for a single patch."""
    half = len(patches) // 2
    return (patches[:half], patches[half:], 0) if half else None


def _halved_image(pixels: np.ndarray, seen: int, step: int):
    """Two overlapping images whose answers, joined on an axis, are those of the whole."""
    counts = [(size - seen) // step + 1 for size in pixels.shape]
    axis = int(np.argmax(counts))
    half = counts[axis] // 2
    if not half:
        return None
    turned = np.moveaxis(pixels, axis, 0)
    first, second = turned[: (half - 1) * step + seen], turned[half * step :]
    return np.moveaxis(first, 0, axis), np.moveaxis(second, 0, axis), axis
