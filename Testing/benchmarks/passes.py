"""The two networks' passes: dense on each engine, the reference, and a U-Net beside them."""

from dataclasses import dataclass, replace

import numpy as np
from machine import median_of
from MicrocalcSegmentationLib.inference.dense import score_pixels_dense, score_windows
from MicrocalcSegmentationLib.inference.engines import open_network
from MicrocalcSegmentationLib.inference.windows import (
    Work,
    score_patches,
    score_pixels,
    window_grid,
)
from MicrocalcSegmentationLib.progress import Silent
from operations import of_layers

WORK = Work(512, Silent(), "")
SIDE = 49


@dataclass(frozen=True)
class Pass:
    """seconds for all of the image; operations that were done; how it was measured."""

    name: str
    seconds: float
    operations: float | None
    how: str


@dataclass(frozen=True)
class Subject:
    """values: normalised; inside: breast; candidates: as the detector found. All (rows, cols)."""

    values: np.ndarray
    inside: np.ndarray
    candidates: np.ndarray


def dense_passes(subject: Subject, model, engine: str, repeats: int) -> list[Pass]:
    """Detector and segmentator over the whole image."""
    passes = []
    for which in ("detector", "segmentator"):
        network = open_network(model, which, engine, "cpu")
        counted, sizes = _counting(network)
        if which == "detector":
            starts = window_grid(subject.inside, SIDE)

            def score(network=network, starts=starts):
                score_windows(subject.values, starts, network, WORK)
        else:

            def score(network=network):
                score_pixels_dense(subject.values, subject.candidates, network, WORK)

        score(counted)
        operations = sum(sum(of_layers(network.architecture, network.step, size)) for size in sizes)
        name = f"{which}, dense, {engine}"
        passes.append(Pass(name, median_of(repeats, score), operations, "whole image"))
    return passes


def reference_passes(subject: Subject, model, engine: str, repeats: int, sample: int) -> list[Pass]:
    """Each patch by itself, for a random sample, scaled to all windows and candidate pixels."""
    rng = np.random.default_rng(0)
    starts = window_grid(subject.inside, SIDE)
    some = starts[rng.choice(len(starts), min(sample, len(starts)), replace=False)]
    detector = open_network(model, "detector", engine, "cpu")
    scan = median_of(
        repeats,
        lambda: score_patches(subject.values, some, detector.architecture, detector.patches, WORK),
    )
    places = np.flatnonzero(subject.candidates)
    where = np.zeros(subject.candidates.shape, bool)
    chosen = rng.choice(places, min(sample, len(places)), replace=False)
    where.ravel()[chosen] = True
    segmentator = open_network(model, "segmentator", engine, "cpu")
    classify = median_of(
        repeats,
        lambda: score_pixels(
            subject.values, where, segmentator.architecture, segmentator.patches, WORK
        ),
    )
    return [
        Pass(f"{which}, patch by patch, {engine}", seconds * all_ / some_, None, how)
        for which, seconds, some_, all_, how in (
            ("detector", scan, len(some), len(starts), _scaled(len(some), len(starts))),
            ("segmentator", classify, len(chosen), len(places), _scaled(len(chosen), len(places))),
        )
    ]


def unet_pass(subject: Subject, repeats: int, tile: int = 512) -> Pass:
    """A small U-Net over tiles of the breast; untrained, for only its time is compared."""
    from unet import open_unet, operations

    run = open_unet()
    tiles = [
        np.s_[row : row + tile, col : col + tile]
        for row in range(0, subject.inside.shape[0], tile)
        for col in range(0, subject.inside.shape[1], tile)
        if subject.inside[row : row + tile, col : col + tile].any()
    ]

    def score():
        for window in tiles:
            values = subject.values[window]
            short = [(0, tile - size) for size in values.shape]
            run(np.pad(values, short)[None, None])

    seconds = median_of(repeats, score)
    done = len(tiles) * operations(tile)
    return Pass("U-Net of 4 levels, 16 to 128 channels, onnx", seconds, done, "whole image")


def _scaled(some: int, total: int) -> str:
    return f"{some:,} of {total:,} patches, scaled"


def _counting(network):
    sizes = []

    def shared(pixels):
        sizes.append(pixels.shape)
        return network.shared(pixels)

    return replace(network, shared=shared), sizes
