"""What a slice view shows of the findings, drawn by Slicer's own code, pixel by pixel.

MICROCALC_SCREENSHOTS=DIR keeps the pictures.
"""

import os
from pathlib import Path

import numpy as np
import pytest
from MicrocalcSegmentationLib.export.segments import cluster_colour
from MicrocalcSegmentationLib.geometry import Geometry
from PIL import Image

FLIPPED = Geometry((0.1, 0.08), (3.0, 4.0, 0.0), ((-1, 0, 0), (0, -1, 0), (0, 0, 1)))


@pytest.fixture
def drawn(slicer, slice_view, make_findings):
    """A function (geometry) -> view, results, findings of two clusters and two isolated MCs."""
    from MicrocalcSegmentationLib.mrml.application import OwnScene
    from MicrocalcSegmentationLib.mrml.results import write_results
    from MicrocalcSegmentationLib.mrml.volumes import add_volume

    opened = OwnScene()

    def draw(geometry):
        findings = make_findings(geometry=geometry)
        mammogram = findings.mammogram
        volume = add_volume(opened.scene, mammogram.pixels, mammogram.geometry, "film")
        volume.CreateDefaultDisplayNodes()
        results = write_results(opened.scene, volume, findings)
        view = slice_view(slicer, opened.scene, opened.application, volume)
        return view, results, findings

    return draw


def keep(picture, name):
    if folder := os.environ.get("MICROCALC_SCREENSHOTS"):
        Image.fromarray(picture).save(Path(folder) / f"{name}.png")


def saturation_at(picture, center, radius):
    """(n, 3) pixels around a place that have a colour; the mammogram has none."""
    row, col = center
    around = picture[row - radius : row + radius + 1, col - radius : col + radius + 1].astype(int)
    around = around.reshape(-1, 3)
    return around[np.ptp(around, axis=1) > 60]


@pytest.mark.parametrize(
    "geometry", [Geometry((0.1, 0.1), (3.0, 4.0, 0.0)), FLIPPED], ids=["plain", "flipped"]
)
def test_every_mc_is_marked_in_its_clusters_colour_where_it_is(drawn, geometry):
    from MicrocalcSegmentationLib.mrml.volumes import ras_of

    view, _, findings = drawn(geometry)
    picture = view.picture()
    keep(picture, "slice_view")
    for mc in findings.calcifications:
        place = view.xy_of(ras_of(geometry, np.array([mc.row, mc.col])))
        # The outline of its 3 x 3 pixels lies within 12 pixels of the picture.
        coloured = saturation_at(picture, place, 12)
        assert len(coloured) > 20, mc
        expected = np.array(cluster_colour(mc.cluster)) * 255
        # Where points and outline cross, the colour is pure.
        nearest = np.abs(coloured - expected).max(axis=1).min()
        assert nearest < 40, (mc, nearest)


def test_the_mammogram_stays_grey_where_nothing_was_found(drawn):
    from MicrocalcSegmentationLib.mrml.volumes import ras_of

    geometry = Geometry((0.1, 0.1), (3.0, 4.0, 0.0))
    view, _, _ = drawn(geometry)
    picture = view.picture()
    for row_col in ((60, 45), (110, 20), (8, 70)):
        place = view.xy_of(ras_of(geometry, np.array(row_col)))
        assert len(saturation_at(picture, place, 15)) == 0
        row, col = place
        assert picture[row - 15 : row + 15, col - 15 : col + 15].std() > 2  # texture is there


def test_a_rejected_cluster_vanishes_and_its_label_stays(drawn):
    from MicrocalcSegmentationLib.mrml.review import Review, set_review
    from MicrocalcSegmentationLib.mrml.volumes import ras_of

    geometry = Geometry((0.1, 0.1), (3.0, 4.0, 0.0))
    view, results, findings = drawn(geometry)
    set_review(results, 1, Review("rejected"))
    picture = view.picture()
    keep(picture, "slice_view_rejected")
    for mc in findings.calcifications:
        place = view.xy_of(ras_of(geometry, np.array([mc.row, mc.col])))
        assert (len(saturation_at(picture, place, 8)) > 0) == (mc.cluster != 1)
    # The white cross of the first centre, and its text to the right of it.
    row, col = view.xy_of(results.centres.GetNthControlPointPositionWorld(0))
    beside = picture[row - 75 : row - 45, col + 30 : col + 150]
    assert (beside.min(axis=2) > 230).sum() > 100
