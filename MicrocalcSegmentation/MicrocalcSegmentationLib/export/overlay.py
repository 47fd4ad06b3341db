"""`overlay.png`: one picture that a person can judge at a glance.

The breast with its clusters outlined and numbered; beside it, each cluster enlarged
twice, plain and with its MCs outlined, so that the marks never hide the image.
"""

import unicodedata
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import grey_dilation
from scipy.spatial import ConvexHull

from ..findings import Cluster, Findings
from .findings_json import INTENDED_USE
from .segments import (
    ISOLATED_COLOUR,
    VASCULAR_COLOUR,
    Colour,
    cluster_colour,
    count_text,
    mc_colour,
)
from .view import View, Window, bounding_box, fit_view, grey_window, square_box

_WIDEST = 2400
_NARROWEST = 1000  # what the header needs
_BREAST_SIZE = (900, 1400)  # width and height, at most
_SIDES = (240, 640)  # smallest and largest side of an enlarged crop
_GAP = 16
_HEADER = 92
_CAPTION = 40
_MOST_CROPS = 12  # clusters beyond this many are only counted
_MARGIN_MM = 3.0  # around the breast
_CROP_MARGIN_MM = 2.0  # around a cluster
_WINDOW_MARGIN_MM = 1.0
_SMALLEST_CROP_MM = 10.0  # the surroundings that a reader needs
_OUTLINE_MARGIN_MM = 1.5  # so that an outline does not cross the MCs that it surrounds
_BACKGROUND = (16, 16, 18)
_TEXT = (235, 235, 235)
_FAINT_TEXT = (170, 170, 175)
_WARNING = (255, 190, 70)


@dataclass(frozen=True)
class _Grid:
    """Arrangement of the enlarged clusters, each a pair of crops of side x side."""

    pairs_per_row: int
    rows: int
    side: int

    @property
    def pair_width(self) -> int:
        return 2 * self.side + _GAP // 2


def write_overlay(findings: Findings, path: Path) -> None:
    """Write the picture as PNG, at most 2,400 pixels wide. Raises OSError."""
    draw_overlay(findings).save(path, format="PNG", compress_level=2)


def draw_overlay(findings: Findings) -> Image.Image:
    """The whole picture, RGB."""
    breast = _draw_breast(findings)
    details = _draw_details(findings, _WIDEST - breast.width - 3 * _GAP)
    width = max(_NARROWEST, breast.width + details.width + 3 * _GAP)
    height = _HEADER + max(breast.height, details.height) + _GAP
    picture = Image.new("RGB", (width, height), _BACKGROUND)
    _draw_header(picture, findings)
    picture.paste(breast, (_GAP, _HEADER))
    picture.paste(details, (breast.width + 2 * _GAP, _HEADER))
    return picture


def _draw_header(picture: Image.Image, findings: Findings) -> None:
    mammogram = findings.mammogram
    draw = ImageDraw.Draw(picture)
    projection = " ".join(part for part in (mammogram.laterality, mammogram.view) if part)
    title = "   ".join(part for part in (_ascii(mammogram.source.name), projection) if part)
    _write(draw, (_GAP, 12), title, 28, _TEXT, picture.width - 2 * _GAP)
    clusters = len(findings.clusters)
    line = (
        f"{clusters} cluster{'' if clusters == 1 else 's'}, "
        f"{count_text(len(findings.calcifications))} ({_not_clustered(findings)})   ·   "
        f"model {_ascii(findings.model_name)} {_ascii(findings.model_version)}   ·   "
        f"threshold {findings.threshold:.3g}   ·   "
    )
    used = _write(draw, (_GAP, 54), line, 20, _FAINT_TEXT, picture.width - 420)
    _write(draw, (_GAP + used, 54), INTENDED_USE, 20, _WARNING, picture.width)


def _not_clustered(findings: Findings) -> str:
    """ "3 isolated, 2 coarse, 1 vascular group"; the last two only where there are any."""
    mcs, groups = findings.calcifications, len(findings.vascular)
    coarse = sum(mc.coarse for mc in mcs)
    parts = [f"{sum(mc.isolated for mc in mcs)} isolated"]
    parts += [f"{coarse} coarse"] if coarse else []
    parts += [f"{groups} vascular group{'' if groups == 1 else 's'}"] if groups else []
    return ", ".join(parts)


def _draw_breast(findings: Findings) -> Image.Image:
    mammogram = findings.mammogram
    spacing_mm = mammogram.spacing_mm
    view = fit_view(bounding_box(findings.breast, _MARGIN_MM, spacing_mm), spacing_mm, _BREAST_SIZE)
    # Every fourth pixel is plenty for a percentile.
    inside = mammogram.pixels[::4, ::4][findings.breast[::4, ::4]]
    image = view.draw_grey(mammogram.pixels, grey_window(inside, 1.0, 99.7))
    draw = ImageDraw.Draw(image)
    for mc in findings.calcifications:
        if mc.isolated or mc.coarse:
            x, y = view.xy((mc.row, mc.col))
            draw.ellipse((x - 6, y - 6, x + 6, y + 6), outline=_rgb(mc_colour(mc)), width=2)
    for group in findings.vascular:
        _outline_group(draw, view, group, (f"V{group.number}", VASCULAR_COLOUR))
    for cluster in findings.clusters:
        text = str(cluster.number)
        _outline_group(draw, view, cluster, (text, cluster_colour(cluster.number)))
    _draw_scale_bar(draw, view)
    return image


def _outline_group(
    draw: ImageDraw.ImageDraw, view: View, group: Cluster, text_and_colour: tuple[str, Colour]
) -> None:
    margin = max(_OUTLINE_MARGIN_MM * view.dots_per_mm, 6.0)
    corners = _widened(view.xy(group.outline_rc), margin)
    text, colour = text_and_colour[0], _rgb(text_and_colour[1])
    points = [tuple(corner) for corner in corners]
    draw.line([*points, points[0], points[1]], fill=colour, width=2, joint="curve")
    right, top = corners[:, 0].max(), corners[:, 1].min()
    font = ImageFont.load_default(24)
    # To the right of the outline, or to the left where the picture ends.
    x = right + 5
    if x + draw.textlength(text, font) > view.width:
        x = corners[:, 0].min() - 5 - draw.textlength(text, font)
    y = min(max(top - 8, 0), view.height - 30)
    draw.text((x, y), text, colour, font, stroke_width=2, stroke_fill=(0, 0, 0))


def _widened(corners: np.ndarray, margin: float) -> np.ndarray:
    """Convex outline at `margin` around the corners, which may be few or on one line."""
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    circle = margin * np.stack([np.cos(angles), np.sin(angles)], axis=-1)
    points = (corners[:, None] + circle[None]).reshape(-1, 2)
    return points[ConvexHull(points).vertices]


def _draw_details(findings: Findings, room: int) -> Image.Image:
    """The enlarged clusters in rows, at most `room` wide."""
    shown = findings.clusters[:_MOST_CROPS]
    if not shown:
        return _draw_nothing_found(findings)
    grid = _grid(len(shown), room)
    left_out = len(findings.clusters) - len(shown)
    width = grid.pairs_per_row * (grid.pair_width + 2 * _GAP) - 2 * _GAP
    height = grid.rows * (grid.side + _CAPTION + _GAP) + (_CAPTION if left_out else 0)
    image = Image.new("RGB", (width, height), _BACKGROUND)
    for index, cluster in enumerate(shown):
        row, col = divmod(index, grid.pairs_per_row)
        at = (col * (grid.pair_width + 2 * _GAP), row * (grid.side + _CAPTION + _GAP))
        image.paste(_draw_pair(findings, cluster, grid.side), at)
    if left_out:
        draw = ImageDraw.Draw(image)
        text = f"and {left_out} more, outlined on the left and listed in clusters.csv"
        _write(draw, (0, height - _CAPTION), text, 22, _TEXT, width)
    return image


def _grid(count: int, room: int) -> _Grid:
    """The arrangement with the largest crops that fits beside the breast."""
    grids = []
    for pairs_per_row in (1, 2, 3):
        rows = -(-count // pairs_per_row)
        widest = ((room + 2 * _GAP) // pairs_per_row - 2 * _GAP - _GAP // 2) // 2
        highest = _BREAST_SIZE[1] // rows - _CAPTION - _GAP
        smallest, largest = _SIDES
        # Too many for the height: the picture grows downwards, never sideways.
        side = min(widest, largest, max(highest, smallest))
        grids.append(_Grid(pairs_per_row, rows, side))
    # Of equal sides the wider arrangement: it leaves the picture lower.
    return max(grids, key=lambda grid: (grid.side, grid.pairs_per_row))


def _draw_nothing_found(findings: Findings) -> Image.Image:
    image = Image.new("RGB", (560, 160), _BACKGROUND)
    draw = ImageDraw.Draw(image)
    _write(draw, (0, 10), "No clusters found", 34, _TEXT, image.width)
    count = len(findings.calcifications)
    text = f"{count_text(count)}, marked on the left" if count else "No MCs found"
    _write(draw, (0, 62), text, 22, _rgb(ISOLATED_COLOUR) if count else _FAINT_TEXT, image.width)
    return image


def _draw_pair(findings: Findings, cluster: Cluster, side: int) -> Image.Image:
    """A caption, and under it the cluster plain and with outlines."""
    mammogram = findings.mammogram
    spacing_mm = mammogram.spacing_mm
    extent_mm = max(
        (cluster.row_max - cluster.row_min + 1) * spacing_mm[0],
        (cluster.col_max - cluster.col_min + 1) * spacing_mm[1],
    )
    center_rc = (
        (cluster.row_min + cluster.row_max + 1) / 2,
        (cluster.col_min + cluster.col_max + 1) / 2,
    )
    side_mm = max(extent_mm + 2 * _CROP_MARGIN_MM, _SMALLEST_CROP_MM)
    box = square_box(center_rc, side_mm, spacing_mm, mammogram.pixels.shape)
    view = fit_view(box, spacing_mm, (side, side))
    plain = view.draw_grey(mammogram.pixels, _cluster_window(findings, cluster))
    marked = _with_outlines(plain, view, findings)
    _draw_scale_bar(ImageDraw.Draw(plain), view)
    image = Image.new("RGB", (2 * side + _GAP // 2, side + _CAPTION), _BACKGROUND)
    _draw_caption(image, cluster)
    image.paste(plain, (0, _CAPTION))
    image.paste(marked, (side + _GAP // 2, _CAPTION))
    return image


def _cluster_window(findings: Findings, cluster: Cluster) -> Window:
    """Grey window set by the breast close to the cluster, and by its MCs.

    Neither air nor the film's border nor another bright structure in the crop takes
    contrast from the MCs, and the MCs themselves do not saturate.
    """
    spacing_mm = findings.mammogram.spacing_mm
    row_margin, col_margin = (round(_WINDOW_MARGIN_MM / mm) for mm in spacing_mm)
    near = (
        slice(max(0, cluster.row_min - row_margin), cluster.row_max + row_margin + 1),
        slice(max(0, cluster.col_min - col_margin), cluster.col_max + col_margin + 1),
    )
    pixels = findings.mammogram.pixels[near]
    black, white = grey_window(pixels[findings.breast[near]], 0.5, 97.0)
    _, mc_white = grey_window(pixels[findings.labels[near] > 0], 0.0, 98.0)
    return black, black + 1.2 * (max(white, mc_white) - black)


def _draw_caption(image: Image.Image, cluster: Cluster) -> None:
    draw = ImageDraw.Draw(image)
    colour = _rgb(cluster_colour(cluster.number))
    used = _write(draw, (0, 6), f"Cluster {cluster.number}", 24, colour, image.width)
    text = (
        f"{count_text(cluster.count)} · {cluster.density_per_cm2:.0f} per cm2 · "
        f"{cluster.extent_mm:.1f} mm across"
    )
    _write(draw, (used + 14, 8), text, 21, _TEXT, image.width - used - 14)


def _with_outlines(plain: Image.Image, view: View, findings: Findings) -> Image.Image:
    """A copy with a line just outside each MC, in its cluster's colour."""
    colours = np.zeros((int(findings.labels.max(initial=0)) + 1, 3), dtype=np.uint8)
    for mc in findings.calcifications:
        colours[mc.number] = _rgb(mc_colour(mc))
    labels = view.sample_nearest(findings.labels)
    thickness = 3 if view.width < 500 else 5
    around = grey_dilation(labels, size=(thickness, thickness))
    line = (around > 0) & (labels == 0)
    marked = np.array(plain)
    marked[line] = colours[around[line]]
    return Image.fromarray(marked)


def _draw_scale_bar(draw: ImageDraw.ImageDraw, view: View) -> None:
    """A bar of a round length in the lower left corner."""
    width_mm = view.width / view.dots_per_mm
    length_mm = next((mm for mm in (20, 10, 5, 2) if mm <= width_mm / 3.5), 1)
    length = length_mm * view.dots_per_mm
    x, y = 14, view.height - 14
    draw.rectangle((x - 1, y - 4, x + length + 1, y + 1), fill=(0, 0, 0))
    draw.rectangle((x, y - 3, x + length, y), fill=(255, 255, 255))
    font = ImageFont.load_default(18)
    draw.text((x, y - 28), f"{length_mm} mm", _TEXT, font, stroke_width=2, stroke_fill=(0, 0, 0))


def _write(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    size: int,
    colour: tuple[int, int, int],
    width: float,
) -> float:
    """Write one line, in smaller letters or cut where it is too long; its width."""
    font = ImageFont.load_default(size)
    while size > 14 and draw.textlength(text, font) > width:
        size -= 1
        font = ImageFont.load_default(size)
    while len(text) > 4 and draw.textlength(text, font) > width:
        text = text[:-4] + "..."
    draw.text(at, text, colour, font)
    return draw.textlength(text, font)


def _ascii(text: str) -> str:
    """The letters that the built-in font has; accents dropped, others as question marks."""
    plain = unicodedata.normalize("NFKD", text)
    plain = "".join(letter for letter in plain if not unicodedata.combining(letter))
    return plain.encode("ascii", "replace").decode("ascii")


def _rgb(colour: Colour) -> tuple[int, int, int]:
    return tuple(round(255 * channel) for channel in colour)
