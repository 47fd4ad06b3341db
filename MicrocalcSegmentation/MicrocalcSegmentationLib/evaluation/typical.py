"""Typical hits, misses and false marks of an evaluation, side by side on one page."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..findings import Findings
from .comparison import Comparison
from .picture import FOUND_COLOUR, TRUE_COLOUR, grey_of, outline_of, write_text

KINDS = (
    "true clusters, marked",
    "true clusters, missed",
    "false clusters",
    "single true MCs, missed",
    "single false marks",
)
_CROP_MM = 10.0
_SIDE = 200  # of a crop on the page, pixels
_EACH = 3  # of a kind from one image, so that no image fills the page
_ACROSS = 4  # pairs in a row of the page
_ROWS = 2
_GAP, _TEXT = 6, 30
_PAPER, _INK = (24, 24, 24), (230, 230, 230)


@dataclass(frozen=True)
class Crop:
    """kind: of `KINDS`. pixels: (200, 400, 3) uint8, the place as it is and with outlines."""

    kind: int
    pixels: np.ndarray


def crops_of(findings: Findings, mask: np.ndarray, comparison: Comparison) -> list[Crop]:
    """A few places of each kind in one image, in the order in which it lists them.

    mask: (rows, cols) bool, the true MCs.
    """
    crops = []
    for kind, places in enumerate(_places(findings, comparison)):
        step = max(1, len(places) // _EACH)
        for place in places[::step][:_EACH]:
            crops.append(Crop(kind, _crop(findings, mask, place)))
    return crops


def write_crops(crops: list[Crop], path: Path) -> None:
    """Keep an image's crops, so that a resumed evaluation need not make them again."""
    with path.open("wb") as file:
        np.savez_compressed(
            file,
            kind=np.array([crop.kind for crop in crops], np.uint8),
            pixels=np.array([crop.pixels for crop in crops], np.uint8),
        )


def read_crops(path: Path) -> list[Crop]:
    """What `write_crops` kept."""
    with np.load(path, allow_pickle=False) as stored:
        return [Crop(int(k), p) for k, p in zip(stored["kind"], stored["pixels"], strict=True)]


def draw_page(crops: list[Crop]) -> Image.Image:
    """A page with up to eight places of each kind, spread evenly over all that there are."""
    rows = []
    for kind, title in enumerate(KINDS):
        of_kind = [crop.pixels for crop in crops if crop.kind == kind]
        chosen = np.linspace(0, len(of_kind) - 1, min(len(of_kind), _ACROSS * _ROWS)).astype(int)
        text = title if of_kind else f"{title}: none"
        rows.append((text, [of_kind[number] for number in chosen]))
    heights = [_TEXT + -(-len(shown) // _ACROSS) * (_SIDE + _GAP) for _, shown in rows]
    width = _ACROSS * (2 * _SIDE + _GAP) + _GAP
    page = Image.new("RGB", (width, sum(heights) + _TEXT + _GAP), _PAPER)
    top = _GAP
    for (text, shown), height in zip(rows, heights, strict=True):
        write_text(page, (_GAP, top), text, _INK)
        for number, pixels in enumerate(shown):
            left = _GAP + number % _ACROSS * (2 * _SIDE + _GAP)
            page.paste(
                Image.fromarray(pixels), (left, top + _TEXT + number // _ACROSS * (_SIDE + _GAP))
            )
        top += height
    write_text(page, (_GAP, top), "10 mm each; found", FOUND_COLOUR)
    write_text(page, (210, top), "true", TRUE_COLOUR)
    return page


def _places(findings: Findings, comparison: Comparison) -> Iterator[np.ndarray]:
    """(n, 2) middles in pixels of each kind, in the order of `KINDS`."""
    truth, marked = comparison.truth, comparison.overlapping.any(axis=0)
    middles = np.array([outline.mean(axis=0) for outline in truth.outlines]).reshape(-1, 2)
    yield middles[marked]
    yield middles[~marked]
    found = np.array([(one.row, one.col) for one in findings.clusters]).reshape(-1, 2)
    yield found[comparison.false_clusters]
    missed = truth.cluster == 0
    missed[comparison.matches.true] = False
    yield truth.mcs.centroids_mm[missed] / truth.spacing_mm
    single = np.array([mc.cluster == 0 for mc in findings.calcifications], bool)
    yield comparison.found.centroids_mm[comparison.false_mcs & single] / truth.spacing_mm


def _crop(findings: Findings, mask: np.ndarray, middle: np.ndarray) -> np.ndarray:
    pixels, spacing_mm = findings.mammogram.pixels, findings.mammogram.spacing_mm
    size = np.array([max(8, round(_CROP_MM / spacing)) for spacing in spacing_mm])
    size = np.minimum(size, pixels.shape)
    start = np.clip((middle - size / 2).astype(int), 0, np.array(pixels.shape) - size)
    window = tuple(slice(int(a), int(a + n)) for a, n in zip(start, size, strict=True))
    grey = grey_of(pixels[window], np.ones(size, bool))
    plain = grey.resize((_SIDE, _SIDE), Image.Resampling.BICUBIC).convert("RGB")
    drawn = np.array(plain)
    for marks, colour in ((mask, TRUE_COLOUR), (findings.mask, FOUND_COLOUR)):
        drawn[outline_of(marks[window], _SIDE)] = colour
    return np.hstack([np.array(plain), drawn])
