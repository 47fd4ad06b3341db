"""Calcifications in a user's own mammogram, by function and by command."""

import json

import numpy as np
import pytest
from MicrocalcSegmentationLib.cli import main
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.evaluation.cases import folder_cases
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.simulation.cases import CaseOptions, simulate_case, write_case
from MicrocalcSegmentationLib.simulation.real_images import Contents, insert_into, room_within


@pytest.fixture(scope="module")
def normal():
    options = CaseOptions("digital", 0.1, (1000, 800), 0, 0, view="CC", laterality="L")
    return simulate_case(21, options).mammogram


def test_only_the_places_of_calcifications_change(normal):
    case = insert_into(normal, Contents(clusters=2, singles=3, level=8.0), 5)
    changed = case.mammogram.pixels != normal.pixels
    assert case.mask.sum() > 10
    assert (changed | ~case.mask).mean() > 0.999
    assert changed.mean() < 0.02
    rise = (case.mammogram.pixels - normal.pixels)[case.mask]
    assert np.mean(rise > 0) > 0.9
    assert case.mammogram.pixels.max() <= normal.pixels.max()


def test_the_same_seed_inserts_the_same(normal):
    first, second = (insert_into(normal, Contents(), 3) for _ in range(2))
    assert np.array_equal(first.mammogram.pixels, second.mammogram.pixels)
    assert not np.array_equal(first.labels, insert_into(normal, Contents(), 4).labels)


def test_pixels_that_are_not_square_are_refused(normal):
    oblong = Mammogram(normal.pixels, Geometry((0.1, 0.2)), Source("a.nrrd"))
    with pytest.raises(InputError, match=r"a.nrrd: pixels of 0.1 x 0.2 mm; resample"):
        insert_into(oblong, Contents(), 0)


def test_room_keeps_away_from_the_rim_but_not_from_the_border():
    inside = np.zeros((300, 300), bool)
    inside[:, :120] = True  # 12 mm of breast along the border
    room = room_within(inside, 0.1)
    assert room[:, 1].min() < 10
    assert 60 <= room[:, 1].max() < 70
    inside[:, 40:] = False
    assert len(room_within(inside, 0.1)) == 0


def test_the_command_writes_what_evaluate_reads(tmp_path, capsys):
    options = CaseOptions("digital", 0.1, (1000, 800), 0, 0, view="CC", laterality="L")
    image = write_case(simulate_case(21, options), tmp_path / "normal")["image"]
    out = tmp_path / "out"
    arguments = ["insert", str(image), "-o", str(out), "--copies", "2", "--json", "-q"]
    assert main([*arguments, "--clusters", "2", "--level", "9"]) == 0
    written = json.loads(capsys.readouterr().out)["cases"]
    assert [entry["seed"] for entry in written] == [0, 1]
    cases = folder_cases(out)
    assert len(cases) == 2
    for case, entry in zip(cases, written, strict=True):
        assert case.name.data == "simulated MCs inserted into real images"
        truth = case.load()
        assert truth.mammogram.pixels.shape == truth.mask.shape == (1000, 800)
        assert truth.mask.any()
        known = json.loads((out / f"{entry['name']}.json").read_text())
        assert sum(one["counted"] for one in known["calcifications"]) == entry["mcs"]


def test_a_refused_image_stops_no_other_one(tmp_path, capsys):
    options = CaseOptions("digital", 0.1, (1000, 800), 0, 0, view="CC", laterality="L")
    image = write_case(simulate_case(21, options), tmp_path / "normal")["image"]
    bad = tmp_path / "bad.dcm"
    bad.write_bytes(b"nothing")
    assert main(["insert", str(bad), str(image), "-o", str(tmp_path / "out"), "-q"]) == 1
    assert "bad.dcm" in capsys.readouterr().err
    assert len(list((tmp_path / "out").glob("*_mask.nrrd"))) == 1


def test_what_is_too_faint_to_be_seen_is_said(tmp_path, capsys):
    options = CaseOptions("digital", 0.1, (1000, 800), 0, 0, view="CC", laterality="L")
    image = write_case(simulate_case(21, options), tmp_path / "normal")["image"]
    arguments = ["insert", str(image), "-o", str(tmp_path / "out"), "--singles", "0"]
    assert main([*arguments, "--level", "0.5"]) == 0
    told = capsys.readouterr().out
    assert " 0 MCs in " in told
    assert "more are too faint to be seen" in told


@pytest.mark.parametrize("level", ["0", "-2", "nan", "much"])
def test_a_level_that_is_none_is_refused(level, capsys):
    with pytest.raises(SystemExit):
        main(["insert", "image.dcm", "-o", "out", "--level", level])
    assert "--level" in capsys.readouterr().err
