"""How time grows with the breast's area, with the candidates' and with the background."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from machine import median_of
from MicrocalcSegmentationLib.inference.dense import score_pixels_dense, score_windows
from MicrocalcSegmentationLib.inference.engines import open_network
from MicrocalcSegmentationLib.inference.windows import window_grid
from passes import SIDE, WORK, Subject
from PIL import Image, ImageDraw, ImageFont

SHARES = (0.125, 0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0)
_PANEL, _MARGIN = (420, 300), (70, 30, 20, 60)  # left, top, right, bottom


def measure(subject: Subject, model, engine: str) -> dict[str, list[tuple[float, float]]]:
    """(Mpx, seconds) points: the detector by breast area, the segmentator by candidates'.

    Area is taken off from below, the image and so its background staying as they are.
    """
    detector, segmentator = (
        open_network(model, which, engine, "cpu") for which in ("detector", "segmentator")
    )
    points = {"detector, by breast area": [], "segmentator, by candidates' area": []}
    for share in SHARES:
        inside = _upper(subject.inside, share)
        seconds = median_of(5, lambda inside=inside: _detect(subject.values, inside, detector))
        points["detector, by breast area"].append((inside.sum() / 1e6, seconds))
        where = _upper(subject.candidates, share)
        seconds = median_of(
            5, lambda where=where: score_pixels_dense(subject.values, where, segmentator, WORK)
        )
        points["segmentator, by candidates' area"].append((where.sum() / 1e6, seconds))
    return points


def with_background(subject: Subject, model, engine: str) -> tuple[float, float]:
    """Seconds of the detector, and with half as much background again below the breast."""
    more = [(0, subject.values.shape[0] // 2), (0, 0)]
    wider = replace(
        subject, values=np.pad(subject.values, more), inside=np.pad(subject.inside, more)
    )
    network = open_network(model, "detector", engine, "cpu")
    return tuple(
        median_of(3, lambda of=of: _detect(of.values, of.inside, network))
        for of in (subject, wider)
    )


def draw(points: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """A panel per curve, axes from 0, with the straight line through the last point."""
    picture = Image.new("RGB", (_PANEL[0] * len(points), _PANEL[1]), "white")
    for number, (title, curve) in enumerate(points.items()):
        picture.paste(_panel(title, curve), (number * _PANEL[0], 0))
    picture.save(path)


def _detect(values, inside, network) -> None:
    score_windows(values, window_grid(inside, SIDE), network, WORK)


def _upper(mask: np.ndarray, share: float) -> np.ndarray:
    """The upper rows that hold this share of the mask."""
    counts = mask.sum(axis=1).cumsum()
    part = mask.copy()
    part[np.searchsorted(counts, share * counts[-1]) + 1 :] = False
    return part


def _panel(title: str, curve: list[tuple[float, float]]) -> Image.Image:
    panel = Image.new("RGB", _PANEL, "white")
    pen, font = ImageDraw.Draw(panel), ImageFont.load_default(13)
    left, top, right, bottom = _MARGIN
    width, height = _PANEL[0] - left - right, _PANEL[1] - top - bottom
    most = [1.1 * max(point[axis] for point in curve) for axis in (0, 1)]

    def xy(area: float, seconds: float) -> tuple[float, float]:
        return left + width * area / most[0], top + height * (1 - seconds / most[1])

    pen.line([xy(0, most[1]), xy(0, 0), xy(most[0], 0)], fill="black")
    pen.line([xy(0, 0), xy(*curve[-1])], fill=(190, 190, 190))
    for part in (0, 0.25, 0.5, 0.75, 1):
        x, y = xy(part * most[0], 0)
        pen.text((x, y + 6), f"{part * most[0]:.2g}", "black", font, anchor="ma")
        x, y = xy(0, part * most[1])
        pen.text((x - 6, y), f"{part * most[1]:.2g}", "black", font, anchor="rm")
    for point in curve:
        x, y = xy(*point)
        pen.ellipse((x - 3, y - 3, x + 3, y + 3), fill=(200, 80, 20))
    pen.text((left + width / 2, 6), title, "black", font, anchor="ma")
    pen.text((left + width / 2, _PANEL[1] - 24), "area, Mpx", "black", font, anchor="ma")
    pen.text((6, 6), "s", "black", font)
    return panel
