"""The table, the page and the command."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from MicrocalcSegmentationLib.cli import build_parser, main, realism
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.evaluation.realism import real_images
from MicrocalcSegmentationLib.evaluation.realism.page import Section, draw_page
from MicrocalcSegmentationLib.evaluation.realism.published import (
    KINDS,
    SPECKS,
    SPECTRUM,
    Percentiles,
    Range,
)
from MicrocalcSegmentationLib.evaluation.realism.samples import Crop, make_sample
from MicrocalcSegmentationLib.evaluation.realism.spectrum import FREQUENCIES, Spectrum
from MicrocalcSegmentationLib.evaluation.realism.table import Row, as_json, as_text, rows_of
from MicrocalcSegmentationLib.simulation.cases import CaseOptions
from PIL import Image

SOURCE = "measured somewhere"
MEASURED = Range(1.0, 2.0, SOURCE)


def small(kind):
    return CaseOptions(kind, 0.1, (520, 420), clusters=2, singles=3, level=10.0)


@pytest.fixture(scope="module")
def sample():
    return make_sample(2, small("digital"))


def row(simulated, count=20, measured=MEASURED):
    return Row("size", "film", measured, simulated, None, count, 10)


@pytest.mark.parametrize(
    ("value", "inside"), [(0.99, False), (1.0, True), (1.5, True), (2.0, True), (2.01, False)]
)
def test_a_row_is_inside_its_range_or_not(value, inside):
    assert row(value).inside is inside


def test_a_row_without_range_value_or_enough_behind_it_is_not_judged():
    assert row(1.5, measured=None).inside is None
    assert row(None).inside is None
    assert row(1.5, count=9).inside is None


def test_the_text_says_inside_outside_and_where_the_range_is_from():
    text = as_text([row(1.5), row(3.0), row(3.0, count=9)], {})
    first, second, third = text.splitlines()[1:4]
    assert "inside" in first
    assert "OUTSIDE" in second
    assert "too few" in third
    assert f"[1] {SOURCE}" in text


def test_every_percentile_lies_in_its_own_range():
    for published in SPECKS.values():
        for percentile, value in published.values.items():
            limits = published.range_at(percentile)
            assert limits.low * 0.999 <= value <= limits.high * 1.001


def test_more_measurements_make_narrower_ranges():
    values = {5: 0.1, 50: 1.0, 95: 10.0}
    few, many = (Percentiles("x", values, count, SOURCE).range_at(50) for count in (10, 1000))
    assert few.low < many.low < 1.0 < many.high < few.high


def test_a_median_of_forty_two_lies_between_its_order_statistics():
    # 95 % of medians of 42 lie between the 15th and the 27th: log-normal quantiles.
    limits = Percentiles("x", {5: 0.1927, 50: 1.0, 95: 5.18}, 42, SOURCE).range_at(50)
    assert limits.low == pytest.approx(np.exp(-0.366), rel=0.02)
    assert limits.high == pytest.approx(np.exp(0.366), rel=0.02)


def test_real_images_are_shown_beside(sample):
    real = [
        Spectrum(beta, 1.3, dict(zip(FREQUENCIES, (1, 0.1, 4e-3, 2e-4, 1e-4), strict=True)))
        for beta in (2.6, 2.7, 2.9)
    ]
    rows = rows_of([sample], {"digital": real})
    assert rows[0].label == "exponent beta, 0.15 to 1 /mm"
    assert rows[0].remeasured == (2.7, 2.6, 2.9)
    assert rows[0].measured == SPECTRUM["digital"][rows[0].label]
    assert {one.kind for one in rows} == {"digital"}


def test_film_contrast_is_held_against_no_digital_range(sample):
    film = make_sample(2, small("film"))
    unheld, of_digital = (
        {one.label for one in rows_of([case], {}) if one.measured is None}
        for case in (film, sample)
    )
    assert unheld > of_digital == {"wider than 2 cm, in no row above: share"}
    assert all("contrast over background" in label for label in unheld - of_digital)


def test_the_json_holds_no_nan(sample):
    empty = make_sample(2, CaseOptions("film", 0.1, (220, 180), clusters=0, singles=0))
    found = as_json(rows_of([empty], {}), {}, {"seeds": [1, 1]})
    json.dumps(found, allow_nan=False)
    assert found["rows_judged"] == 0
    whole = as_json(rows_of([sample], {}), {}, {})
    assert 0 < whole["rows_judged"] == sum(r["inside"] is not None for r in whole["rows"])


def test_a_sample_has_a_crop_of_each_cluster(sample):
    assert len(sample.crops) == len(sample.specks.cluster_count) > 0
    assert all(crop.pixels.shape == (256, 256) for crop in sample.crops)


def test_mcs_that_nobody_sees_are_measured_but_make_no_cluster():
    faint = make_sample(2, CaseOptions("film", 0.1, (520, 420), clusters=2, singles=0, level=1.0))
    assert len(faint.specks.snr) >= 10
    assert len(faint.specks.cluster_count) == 0
    assert not faint.candidates.true.any()


def test_the_page_shows_crops_pixel_for_pixel_without_shading_windowed_alike():
    speck = np.random.default_rng(0).normal(0, 1, (256, 256)).astype(np.float32)
    speck[100, 60] = 50
    page = draw_page([Section("a", (Crop(speck, "x"), Crop(100 + 7 * speck, "y")))])
    grey = np.asarray(page)
    first, second = grey[30:286, 8:264], grey[30:286, 272:528]
    assert np.abs(first.astype(int) - second).max() <= 1
    assert first[100, 60] == 255
    assert (first.min(), first.max()) == (0, 255)


def test_shading_does_not_hide_what_is_fine():
    shading = np.tile(np.linspace(0, 1000, 256, dtype=np.float32), (256, 1))
    shading[128, 128] += 50
    shading[:, 100] -= 50
    grey = np.asarray(draw_page([Section("a", (Crop(shading, "x"),))]))[30:286, 8:264].astype(int)
    assert grey[128, 128] - grey[128, 126] > 40
    assert grey[128, 100] < grey[128, 98]


@pytest.fixture
def tiles(tmp_path):
    """Two tiles of two patients in the tile folder's layout; a spot is seen on the second."""
    folder = tmp_path / "film"
    (folder / "tiles").mkdir(parents=True)
    names = ["Mass-Test_P_00001_LEFT_CC_r0_c0.png", "Mass-Test_P_00002_LEFT_CC_r0_c0.png"]
    rng = np.random.default_rng(0)
    for name in names:
        pixels = rng.integers(90, 110, (600, 700)).astype(np.uint8)
        pixels[500, 300] = 255
        Image.fromarray(pixels).save(folder / "tiles" / name)
    lines = [f"{name},P_0000{n},0" for n, name in enumerate(names, 1)]
    (folder / "index.csv").write_text("\n".join(["tile,patient,also_in_calcification_set", *lines]))
    (folder / "seen.csv").write_text(f"tile,row,col,kind,note\n{names[1]},500,300,round,big\n")
    return folder


def test_tiles_with_seen_calcifications_are_no_backgrounds(tiles):
    assert [tile.text for tile in real_images.film_tiles(tiles)] == ["P_00001"]


def test_the_place_that_was_seen_is_in_its_crop(tiles):
    (crop,) = real_images.seen_crops(tiles)
    assert crop.text == "round, P_00002"
    row_col = np.argwhere(crop.pixels == 255)
    assert row_col.tolist() == [[500 - 344, 128]]  # moved up, for the tile ends below


@pytest.mark.parametrize(
    ("read", "sentence"),
    [
        (real_images.film_tiles, "pass the folder of CBIS-DDSM film tiles"),
        (real_images.digital_backgrounds, "holds no .jpg"),
        (real_images.films, "holds no .dcm file"),
    ],
)
def test_a_folder_without_images_is_refused(read, sentence, tmp_path):
    with pytest.raises(InputError, match=sentence):
        list(read(tmp_path))


def test_the_command_writes_tables_and_page(tmp_path, tiles, capsys):
    output = tmp_path / "out"
    argv = ["realism", "-o", output, "--count", "1", "--jobs", "1", "--film-tiles", tiles, "-q"]
    args = build_parser().parse_args([*map(str, argv), "--json"])
    assert realism.run(args, small) == 0
    report = json.loads(capsys.readouterr().out)
    assert report == json.loads((output / "realism.json").read_text())
    assert {one["kind"] for one in report["rows"]} == set(KINDS)
    assert set(report["separability"]) == {"digital", "film", "all"}
    assert "OUTSIDE" in (output / "realism.txt").read_text()
    with Image.open(output / "page.png") as page:
        assert page.width > 6 * 256


def test_a_missing_folder_is_one_sentence(tmp_path, capsys):
    argv = ["realism", "-o", tmp_path / "out", "-q", "--crops", tmp_path / "none"]
    assert main(list(map(str, argv))) == 1
    assert "holds no .dcm file" in capsys.readouterr().err


def test_readme_and_published_tables_agree():
    root = Path(__file__).parents[2]
    published = (root / "Resources" / "Realism.md").read_text(encoding="utf-8")
    tables = published.split("```")[-2]
    inside, outside = (len(re.findall(rf"  {word}  ", tables)) for word in ("inside", "OUTSIDE"))
    digital, film, _ = re.findall(r"\nlocal contrast +(\S+)", tables)
    for text in (published, (root / "README.md").read_text(encoding="utf-8")):
        assert f"{inside} of {inside + outside} rows" in text
        (sentence,) = re.findall(r"local contrast[^.]*AUC(?:[^.]|\.\d)*", text)
        assert {digital, film} <= set(re.findall(r"\d\.\d+", sentence))
