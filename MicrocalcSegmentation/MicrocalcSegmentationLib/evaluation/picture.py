"""A picture of found against true, for a person to judge at a glance."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import binary_dilation

from ..findings import Findings

FOUND_COLOUR = (230, 159, 0)  # orange and sky blue: Okabe and Ito's palette, told apart
TRUE_COLOUR = (86, 180, 233)  # by colour-blind readers as well
IGNORED_COLOUR = (204, 121, 167)
_BOTH_COLOUR = (255, 255, 255)
_HEIGHT = 1400  # of the whole picture, pixels
_CROPS = 6
_CROP_MM = 12.0  # a cluster of 1 cm2 with a rim
_COLUMNS = 2
_GAP = 8
_FONT = 20  # pixels
_BACKGROUND = (24, 24, 24)


def draw_found_and_true(findings: Findings, truth: np.ndarray, ignored: np.ndarray) -> Image.Image:
    """The whole mammogram, and enlarged crops of the places with most MCs, found or true.

    truth, ignored: (rows, cols) bool, MCs and what is neither MC nor tissue. Outlines of found
    MCs are orange, of true ones sky blue, where both run together white, of what is ignored
    purple; frames on the whole mammogram are the crops.
    """
    mask = findings.mask
    layers = ((ignored, IGNORED_COLOUR), (truth, TRUE_COLOUR), (mask, FOUND_COLOUR))
    crops = _places(mask | truth, findings.mammogram.spacing_mm)
    whole = _whole(findings, layers, crops)
    side = (_HEIGHT - 2 * _GAP - 40) // 3
    canvas_width = whole.width + _COLUMNS * (side + _GAP) + 2 * _GAP
    canvas = Image.new("RGB", (canvas_width, _HEIGHT), _BACKGROUND)
    canvas.paste(whole, (_GAP, _GAP))
    for number, crop in enumerate(crops):
        left = whole.width + 2 * _GAP + (number % _COLUMNS) * (side + _GAP)
        top = 40 + (number // _COLUMNS) * (side + _GAP)
        canvas.paste(_enlarged(findings, layers, crop, side), (left, top))
        write_text(canvas, (left + 6, top + 4), str(number + 1), _BOTH_COLOUR)
    _legend(canvas, whole.width + 2 * _GAP)
    return canvas


def write_found_and_true(
    findings: Findings, truth: np.ndarray, ignored: np.ndarray, path: Path
) -> None:
    """The picture as a PNG file."""
    draw_found_and_true(findings, truth, ignored).save(path, format="PNG")


def _places(mask: np.ndarray, spacing_mm: tuple[float, float]) -> list[tuple[slice, slice]]:
    """Windows of `_CROP_MM` around the MCs, the fullest first, until `_CROPS` or all are in."""
    rows_cols = np.argwhere(mask)
    size = [max(8, round(_CROP_MM / spacing)) for spacing in spacing_mm]
    places = []
    while len(rows_cols) and len(places) < _CROPS:
        cells, count = np.unique(rows_cols // size, axis=0, return_counts=True)
        fullest = cells[count.argmax()]
        middle = rows_cols[(rows_cols // size == fullest).all(axis=1)].mean(axis=0)
        start = np.clip(middle - np.array(size) / 2, 0, None).astype(int)
        start = np.minimum(start, np.maximum(0, np.array(mask.shape) - size))
        window = tuple(slice(a, a + n) for a, n in zip(start.tolist(), size, strict=True))
        places.append(window)
        inside = ((rows_cols >= start) & (rows_cols < start + size)).all(axis=1)
        rows_cols = rows_cols[~inside]
    return places


def _whole(findings: Findings, layers: tuple, crops: list) -> Image.Image:
    pixels = findings.mammogram.pixels
    row_mm, col_mm = findings.mammogram.spacing_mm
    height = _HEIGHT - 2 * _GAP
    scale = height / pixels.shape[0]
    width = max(1, round(pixels.shape[1] * scale * col_mm / row_mm))
    image = grey_of(pixels, findings.breast).resize((width, height), Image.Resampling.BOX)
    image = image.convert("RGB")
    draw = ImageDraw.Draw(image)
    across = width / pixels.shape[1]
    for mask, colour in layers:
        marks = np.unique((np.argwhere(mask) * (scale, across)).astype(int), axis=0)
        draw.point([(col, row) for row, col in marks.tolist()], fill=colour)
    for number, (rows, cols) in enumerate(crops):
        box = (cols.start * across, rows.start * scale, cols.stop * across, rows.stop * scale)
        draw.rectangle(box, outline=_BOTH_COLOUR)
        write_text(image, (box[0] + 4, box[1] + 1), str(number + 1), _BOTH_COLOUR)
    return image


def _enlarged(findings: Findings, layers: tuple, window: tuple, side: int) -> Image.Image:
    pixels = findings.mammogram.pixels[window]
    grey = grey_of(pixels, np.ones(pixels.shape, bool))
    image = np.array(grey.resize((side, side), Image.Resampling.BICUBIC).convert("RGB"))
    outlines = [outline_of(mask[window], side) for mask, _ in layers]
    for outline, (_, colour) in zip(outlines, layers, strict=True):
        image[outline] = colour
    image[outlines[1] & outlines[2]] = _BOTH_COLOUR
    return Image.fromarray(image)


def outline_of(mask: np.ndarray, side: int) -> np.ndarray:
    """(side, side) bool: two pixels wide, around the MC, so that the MC itself stays in sight."""
    large = np.array(Image.fromarray(mask).resize((side, side), Image.Resampling.NEAREST))
    around = binary_dilation(large, iterations=2)
    return binary_dilation(around, iterations=2) & ~around


def grey_of(pixels: np.ndarray, inside: np.ndarray) -> Image.Image:
    """8-bit, stretched over what the inside holds."""
    values = pixels[inside] if inside.any() else pixels
    low, high = np.percentile(values, [1, 99.8])
    scaled = (pixels - low) / max(float(high - low), 1e-6)
    return Image.fromarray((255 * np.clip(scaled, 0, 1)).astype(np.uint8))


def _legend(canvas: Image.Image, left: int) -> None:
    draw = ImageDraw.Draw(canvas)
    entries = (
        *((FOUND_COLOUR, "found"), (TRUE_COLOUR, "true"), (_BOTH_COLOUR, "both")),
        (IGNORED_COLOUR, "not counted"),
    )
    for number, (colour, text) in enumerate(entries):
        start = left + 120 * number
        draw.rectangle((start, 12, start + 16, 28), fill=colour)
        write_text(canvas, (start + 24, 8), text, colour)


def write_text(image: Image.Image, at: tuple[float, float], text: str, colour: tuple) -> None:
    """At its top left corner, (x, y)."""
    ImageDraw.Draw(image).text(at, text, colour, font=ImageFont.load_default(_FONT))
