"""Crops side by side at native resolution: simulated, inserted into real, and real."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from ...settings import CLUSTER_MIN_MCS
from ...simulation.calcifications import Site, cluster
from ...simulation.insertion import Ground, counts, insert
from .real_images import Background, room_for_crop
from .samples import CROP_SIDE, Crop, crop_at

_COLUMNS = 6
_GAP = 8
_FONT = 14
_TEXT = 22  # height of a line of text
_PAPER, _INK = 24, 230
_FLAT_PX = 48  # Gaussian width of what is taken off: shading, which would hide the specks
_WINDOW = (0.5, 99.9)  # percentiles of what remains, shown black and white, the same for all
_DRAWS = 12


@dataclass(frozen=True)
class Section:
    """Crops of one kind under a title."""

    title: str
    crops: tuple[Crop, ...]


def inserted_crop(background: Background, seed: int) -> Crop | None:
    """A cluster drawn into a real background, drawn anew until it can be seen.

    None where there is no room for one, or none could be seen in many draws.
    """
    rng = np.random.default_rng(seed)
    place = room_for_crop(background, rng)
    if place is None:
        return None
    ground = Ground(background.pixels, background.inside, background.spacing_mm)
    for _ in range(_DRAWS):
        placed = cluster(Site(tuple(place)), background.spacing_mm, rng)
        inserted = insert(ground, placed, rng)
        seen = sum(map(counts, inserted.placed))
        if seen >= CLUSTER_MIN_MCS:
            return Crop(crop_at(inserted.pixels, *place), f"into {background.text}, {seen} MCs")
    return None


def draw_page(sections: list[Section]) -> Image.Image:
    """One grey picture; a crop's pixel is a pixel of it, shading taken off."""
    cell = CROP_SIDE + _GAP
    heights = [_TEXT + -(-len(s.crops) // _COLUMNS) * (cell + _TEXT) + _GAP for s in sections]
    page = Image.new("L", (_COLUMNS * cell + _GAP, sum(heights) + _GAP), _PAPER)
    pen = ImageDraw.Draw(page)
    top = _GAP
    for section, height in zip(sections, heights, strict=True):
        _write(pen, (_GAP, top), section.title)
        for number, crop in enumerate(section.crops):
            left = _GAP + (number % _COLUMNS) * cell
            below = top + _TEXT + (number // _COLUMNS) * (cell + _TEXT)
            page.paste(_grey(crop.pixels), (left, below))
            _write(pen, (left, below + CROP_SIDE + 2), crop.text)
        top += height
    return page


def _grey(pixels: np.ndarray) -> Image.Image:
    flat = pixels - gaussian_filter(pixels.astype(np.float64), _FLAT_PX, mode="nearest")
    low, high = np.percentile(flat, _WINDOW)
    scaled = (flat - low) / max(float(high - low), 1e-6)
    return Image.fromarray((255 * np.clip(scaled, 0, 1)).astype(np.uint8))


def _write(pen: ImageDraw.ImageDraw, at: tuple[int, int], text: str) -> None:
    pen.text(at, text, _INK, font=ImageFont.load_default(_FONT))
