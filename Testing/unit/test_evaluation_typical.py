import numpy as np
import pytest
from MicrocalcSegmentationLib.evaluation.comparison import compare_findings, truth_of
from MicrocalcSegmentationLib.evaluation.typical import (
    KINDS,
    crops_of,
    draw_page,
    read_crops,
    write_crops,
)

SHAPE = (400, 300)
FIRST = [(50, 50), (50, 62), (60, 55), (70, 50), (72, 66), (84, 58), (90, 52)]
SECOND = [(300, 200), (300, 220), (310, 210), (320, 200), (322, 216), (334, 208)]
ISOLATED, ELSEWHERE = [(200, 40)], [(180, 120)]


@pytest.fixture
def found_as(make_findings):
    """A function (clusters, isolated) -> Findings."""

    def make(clusters, isolated):
        return make_findings(dict(enumerate(clusters, 1)), isolated, shape=SHAPE)

    return make


@pytest.fixture
def crops(found_as):
    """A function (clusters, isolated) that are found -> crops; true are two and one."""
    true = found_as([FIRST, SECOND], ISOLATED).mask

    def make(clusters, isolated):
        found = found_as(clusters, isolated)
        truth = truth_of(true, found.mammogram.spacing_mm)
        return crops_of(found, true, compare_findings(found, truth))

    return make


def kinds(crops):
    return [KINDS[crop.kind] for crop in crops]


def test_hits_misses_and_false_marks_are_told_apart(crops):
    assert kinds(crops([FIRST, SECOND], ISOLATED)) == ["true clusters, marked"] * 2
    assert kinds(crops([FIRST], ELSEWHERE)) == [
        "true clusters, marked",
        "true clusters, missed",
        "single true MCs, missed",
        "single false marks",
    ]


def test_a_false_cluster_is_shown_once_and_not_mark_by_mark(crops):
    moved = [(row + 20, col + 150) for row, col in FIRST]
    shown = kinds(crops([FIRST, SECOND, moved], ISOLATED))
    assert shown == ["true clusters, marked"] * 2 + ["false clusters"]


def test_a_crop_shows_the_place_without_and_with_outlines(crops):
    pixels = crops([FIRST], [])[0].pixels
    plain, drawn = np.split(pixels.astype(int), 2, axis=1)
    assert np.ptp(plain, axis=2).max() == 0
    assert np.ptp(drawn, axis=2).max() > 60


def test_kept_crops_come_back(crops, tmp_path):
    made = crops([FIRST], ELSEWHERE)
    write_crops(made, tmp_path / "a.npz")
    again = read_crops(tmp_path / "a.npz")
    assert [crop.kind for crop in again] == [crop.kind for crop in made]
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(again, made, strict=True))


def test_the_page_grows_with_what_there_is_to_show(crops):
    some, none = draw_page(crops([FIRST], ELSEWHERE)), draw_page([])
    assert some.width == none.width
    assert some.height > none.height + 4 * 150


def test_an_image_with_nothing_in_it_has_no_crops(tmp_path):
    write_crops([], tmp_path / "none.npz")
    assert read_crops(tmp_path / "none.npz") == []
