import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from MicrocalcSegmentationLib.cli import main
from MicrocalcSegmentationLib.cli.survey import DESCRIPTION
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.evaluation.looks import LOOKS
from MicrocalcSegmentationLib.evaluation.patients import patient_of
from MicrocalcSegmentationLib.evaluation.survey import (
    AtPlace,
    Place,
    Surveyed,
    rates,
    read_places,
    survey,
)


def found(name, boxes, vascular=(), shape=(400, 400), spacing=0.1):
    """What `survey` reads of findings: bounding boxes of groups on a breast of 16 cm2."""
    mammogram = SimpleNamespace(
        source=SimpleNamespace(name=name),
        spacing_mm=(spacing, spacing),
        pixel_area_mm2=spacing**2,
    )
    clusters, along = (
        [
            SimpleNamespace(row_min=top, row_max=bottom, col_min=left, col_max=right)
            for top, bottom, left, right in of
        ]
        for of in (boxes, vascular)
    )
    return SimpleNamespace(
        mammogram=mammogram,
        clusters=clusters,
        vascular=along,
        calcifications=[None] * 7,
        breast=np.ones(shape, bool),
    )


def test_a_cluster_at_a_place_is_no_mark_elsewhere():
    places = [Place("a.png", 119, 150, "fine"), Place("b.png", 0, 0, "fine")]
    seen = survey(found("a.png", [(40, 100, 100, 200), (300, 350, 300, 350)]), places)
    assert seen.at_places == (("fine", True, False),)
    assert (seen.clusters, seen.elsewhere, seen.breast_cm2) == (2, 1, pytest.approx(16))


@pytest.mark.parametrize(("row", "marked"), [(120, True), (121, False)])
def test_a_place_is_at_a_cluster_up_to_2_mm_from_its_box(row, marked):
    seen = survey(found("a", [(40, 100, 100, 200)]), [Place("a", row, 150, "fine")])
    assert seen.at_places == (("fine", marked, False),)


def test_without_marks_every_place_is_missed():
    seen = survey(found("a", []), [Place("a", 5, 5, "fine")])
    assert seen.at_places == (("fine", False, False),)
    assert seen.elsewhere == 0


def test_rates_are_sums_over_images_with_intervals_over_patients():
    one = Surveyed(
        "a", "P1", 100.0, 50, 3, (AtPlace("fine", True, False), AtPlace("fibre", False, False)), 2
    )
    others = [
        replace(
            one, image="b", patient="P2", elsewhere=0, at_places=(AtPlace("fine", False, False),)
        ),
        replace(one, image="c", patient="P3", elsewhere=1, at_places=()),
    ]
    figures = rates([one, *others])
    assert figures["clusters at no known place, per image"].value == pytest.approx(1)
    assert figures["clusters at no known place, per 100 cm2"].value == pytest.approx(1)
    assert figures["MCs marked, per cm2"].value == pytest.approx(0.5)
    fine = figures["places of kind fine marked as a cluster, of 2"]
    assert fine.value == 0.5
    assert fine.low <= 0.5 <= fine.high
    assert figures["places of kind fibre marked as a cluster, of 1"].value == 0


def test_what_is_reported_as_vascular_is_told_apart_from_clusters():
    places = [Place("a", 50, 50, "vascular"), Place("a", 350, 350, "vascular")]
    seen = survey(found("a", [(300, 390, 300, 390)], [(40, 100, 10, 200)]), places)
    assert seen.at_places == (("vascular", False, True), ("vascular", True, False))
    assert (seen.clusters, seen.elsewhere, seen.vascular) == (1, 0, 1)
    figures = rates([seen])
    assert figures["places of kind vascular marked as a cluster, of 2"].value == 0.5
    assert figures["places of kind vascular reported as vascular, of 2"].value == 0.5
    none = rates([survey(found("a", []), [places[0], Place("a", 5, 5, "fine")])])
    assert none["places of kind vascular reported as vascular, of 1"].value == 0
    assert not any("fine reported" in label for label in none)


def test_one_patient_has_no_interval():
    one = Surveyed("a", "P1", 100.0, 50, 3, (), 2)
    figure = rates([one, replace(one, image="b")])["clusters at no known place, per image"]
    assert (figure.value, figure.low, figure.high) == (2, None, None)


def test_places_are_read_by_either_name_of_their_image(tmp_path):
    path = tmp_path / "seen.csv"
    path.write_text("tile,row,col,kind,note\na.png,3,4,fine,clear\n", encoding="utf-8")
    assert read_places(path) == [Place("a.png", 3, 4, "fine")]
    path.write_text("image,row,col,kind\na.png,3,4,fine\n", encoding="utf-8")
    assert read_places(path) == [Place("a.png", 3, 4, "fine")]


@pytest.mark.parametrize("text", ["tile,row\na,1\n", "tile,row,col,kind\na,x,1,fine\n"])
def test_places_that_lack_something_are_refused(tmp_path, text):
    path = tmp_path / "seen.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"every line needs tile \(or image\), row, col and kind"):
        read_places(path)


def test_an_image_that_places_name_and_nobody_gave_is_said(tmp_path, capsys):
    places = tmp_path / "seen.csv"
    places.write_text("image,row,col,kind\nlacking.png,3,4,fine\n", encoding="utf-8")
    (tmp_path / "images").mkdir()
    assert main(["survey", str(tmp_path / "images"), "--places", str(places)]) == 1
    assert "no image lacking.png in there" in capsys.readouterr().err


def test_the_command_surveys_images_and_writes_what_it_marked(tmp_path, capsys, film_png):
    output = tmp_path / "out"
    arguments = ["survey", str(film_png), "--spacing-mm", "0.05", "-o", str(output), "--json"]
    assert main([*arguments, "--quiet"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["images"][0]["image"] == film_png.name
    assert printed == json.loads((output / "survey.json").read_text("utf-8"))
    assert (output / film_png.stem / "overlay.png").is_file()


@pytest.fixture
def film_png(tmp_path):
    import SimpleITK

    rng = np.random.default_rng(0)
    pixels = np.zeros((300, 300), np.uint8)
    pixels[:, :220] = rng.normal(150, 6, (300, 220))
    path = tmp_path / "film.png"
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(pixels), str(path))
    return path


@pytest.mark.parametrize(
    ("name", "patient"), [("Mass-Test_P_00147_LEFT_CC_r0.png", "P_00147"), ("a.dcm", "a.dcm")]
)
def test_images_of_cbis_ddsm_tell_their_patient(name, patient):
    assert patient_of(name) == patient


def test_other_looks_are_surveyed_beside_the_image_as_it_is(tmp_path, capsys, film_png):
    output = tmp_path / "out"
    places = tmp_path / "seen.csv"
    places.write_text(f"image,row,col,kind\n{film_png.name},3,4,fine\n", encoding="utf-8")
    arguments = ["survey", str(film_png), "--places", str(places), "--spacing-mm", "0.05"]
    assert main([*arguments, "-o", str(output), "--looks", "softer,turned", "--quiet"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in printed if line.endswith(":")] == ["as it is:", "softer:", "turned:"]
    report = json.loads((output / "survey.json").read_text("utf-8"))
    assert list(report["looks"]) == ["softer", "turned"]
    assert report["looks"]["turned"]["images"][0]["image"] == film_png.name
    assert (output / "turned" / film_png.stem / "overlay.png").is_file()


def test_an_image_that_cannot_be_read_is_refused_once_and_a_look_named_twice_counts_once(
    tmp_path, capsys, film_png
):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    arguments = ["survey", str(film_png), str(broken), "--spacing-mm", "0.05", "--json", "--quiet"]
    assert main([*arguments, "--looks", "softer,softer"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert len(report["refused"]) == 1
    assert len(report["images"]) == len(report["looks"]["softer"]["images"]) == 1


def test_a_look_that_there_is_none_of_is_refused(tmp_path, capsys, film_png):
    assert (
        main(["survey", str(film_png), "--looks", "softer,colourful", "-o", str(tmp_path / "o")])
        == 1
    )
    assert "no look colourful; there are sharper, softer" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_the_help_names_every_look():
    assert all(look in DESCRIPTION for look in LOOKS)
