"""The sample database: classes, runs, building, refusing, resuming, drawing."""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from MicrocalcSegmentationLib.breast import breast_region
from MicrocalcSegmentationLib.cli import main
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.evaluation.stored_cases import stored_cases
from MicrocalcSegmentationLib.progress import Silent
from MicrocalcSegmentationLib.training.datasets import open_dataset
from MicrocalcSegmentationLib.training.samples.access import Samples, Selection
from MicrocalcSegmentationLib.training.samples.build import BuildOptions, UnsoundData, build, check
from MicrocalcSegmentationLib.training.samples.classes import (
    BREAST,
    C1,
    C2,
    C3,
    C4,
    CHEST,
    INSIDE,
    MC,
    OUTSIDE,
    REGION,
    SKIN,
    UNCERTAIN,
    class_map,
    zone_map,
)
from MicrocalcSegmentationLib.training.samples.writing import runs_of

ONE_PROCESS = BuildOptions(patch_sides=(29,), workers=1)


@pytest.fixture
def cases(tmp_path, write_breast):
    """A folder of five small images of five patients, in turns digital and film."""
    folder = tmp_path / "cases"
    for seed in range(5):
        write_breast(folder, f"case{seed}", seed)
    return folder


def built(folder, output, options=ONE_PROCESS):
    return build([open_dataset(folder)], output, options, Silent())


def contents(path):
    """Every row of every table."""
    with sqlite3.connect(path) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        return {
            name: connection.execute(f"SELECT * FROM {name} ORDER BY 1, 2").fetchall()
            if name != "excluded"
            else connection.execute("SELECT * FROM excluded").fetchall()
            for (name,) in tables.fetchall()
        }


@settings(deadline=None, max_examples=40)
@given(
    hnp.arrays(
        np.uint8, hnp.array_shapes(min_dims=2, max_dims=2, max_side=14), elements=st.integers(0, 4)
    ),
    st.sampled_from([3, 9, 13]),
)
def test_classes_are_what_a_look_at_every_patch_gives(labels, side):
    half = side // 2
    padded = np.pad(labels, max(half, 3))
    offset = max(half, 3)
    classes = class_map(labels, side)
    for (row, col), label in np.ndenumerate(labels):
        r, c = row + offset, col + offset
        patch = padded[r - half : r + half + 1, c - half : c + half + 1]
        around = padded[r - 3 : r + 4, c - 3 : c + 4]
        near = np.hypot(*np.mgrid[-3:4, -3:4]) <= 3
        if label == MC:
            expected = C1
        elif label == REGION:
            expected = 5
        elif label in (OUTSIDE, UNCERTAIN):
            expected = 0
        elif (around[near] == MC).any():
            expected = C2
        elif (patch == MC).any():
            expected = C3
        else:
            expected = 0 if np.isin(patch, (UNCERTAIN, REGION)).any() else C4
        assert classes[row, col] == expected


@settings(deadline=None, max_examples=40)
@given(hnp.arrays(np.uint8, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.integers(0, 2)))
def test_runs_are_the_map_itself(codes):
    back = np.zeros_like(codes)
    for code, row, col, length in runs_of(codes):
        assert (back[row, col : col + length] == 0).all()
        back[row, col : col + length] = code
    assert (back == codes).all()


def test_zones_are_skin_line_chest_wall_and_inside():
    labels = np.full((800, 600), BREAST, np.uint8)
    labels[:, 500:] = OUTSIDE  # skin at column 500; the image ends at the left and at the top
    zones = zone_map(labels, (0, 0, 800, 600), (900, 700))
    assert zones[400, 250] == INSIDE
    assert zones[400, 480] == zones[790, 250] == SKIN
    assert zones[400, 20] == zones[20, 250] == CHEST
    assert zones[20, 20] == CHEST


def test_a_database_knows_every_sample_and_draws_by_class_split_source_and_zone(cases, tmp_path):
    samples = Samples(built(cases, tmp_path / "s.sqlite"))
    assert samples.verify() == []
    images = {image.number: image for image in samples.images()}
    assert {image.split for image in images.values()} == {"train", "validation", "test"}
    for sample_class in (C1, C2, C3, C4):
        drawable = samples.select(Selection(29, (sample_class,), ("train",), kinds=("film",)))
        maps = {
            n: class_map(np.array(samples.array(n, "labels")), 29)
            for n, image in images.items()
            if image.split == "train" and image.kind == "film"
        }
        # Numbered from 0 to the last, the samples are exactly the pixels of that class.
        everything = drawable.at(np.arange(drawable.count))
        assert (everything[:, 3] == sample_class).all()
        found = {n: np.zeros(m.shape, bool) for n, m in maps.items()}
        for number, row, col, _ in everything.tolist():
            found[number][row, col] = True
        for number, expected in maps.items():
            assert (found[number] == (expected == sample_class)).all()
    skin = samples.select(Selection(29, (C4,), zones=(SKIN,))).draw(np.random.default_rng(1), 50)
    inside = samples.squares(skin, 221, "labels")
    assert (inside == OUTSIDE).any(axis=(1, 2)).all()
    assert samples.select(Selection(29, sources=("elsewhere",))).count == 0
    one = samples.select(Selection(29, names=("case1",))).draw(np.random.default_rng(1), 9)
    assert {images[n].name for n in one[:, 0]} == {"case1"}


def test_a_database_opened_for_one_kind_knows_no_other(cases, tmp_path):
    path = built(cases, tmp_path / "s.sqlite")
    whole = Samples(path)
    assert len(whole.kinds) > 1
    total = whole.select(Selection(29)).count
    parts = []
    for kind in whole.kinds:
        samples = Samples(path, (kind,))
        assert samples.kinds == (kind,)
        assert {image.kind for image in samples.images()} == {kind}
        parts.append(samples.select(Selection(29)).count)
        assert parts[-1] == whole.select(Selection(29, kinds=(kind,))).count > 0
    assert sum(parts) == total
    with pytest.raises(InputError, match=r"s.sqlite: holds no image of kind 'raw'; use digital"):
        Samples(path, ("raw",))


def test_pixels_to_ignore_are_kept_as_uncertain_and_no_sample_is_near_them(tmp_path, write_breast):
    cases = tmp_path / "cases"
    for seed in range(2):
        write_breast(cases, f"case{seed}", seed)
    mask = sitk.ReadImage(str(cases / "case1_mask.nrrd"))
    plain = np.array(Samples(built(cases, tmp_path / "plain.sqlite")).array(2, "labels"))
    ignored = np.zeros(sitk.GetArrayViewFromImage(mask).shape, np.uint8)
    ignored[0, 200:204, 60:66] = 1
    image = sitk.GetImageFromArray(ignored)
    image.CopyInformation(mask)
    sitk.WriteImage(image, str(cases / "case1_ignored.nrrd"))
    output = built(cases, tmp_path / "s.sqlite")
    samples = Samples(output)
    (two,) = [i for i in samples.images() if i.name == "case1"]
    files = [path.name for path in samples.files(two.number)[0]]
    assert files == ["case1.nrrd", "case1_mask.nrrd", "case1_ignored.nrrd"]
    labels = np.array(samples.array(two.number, "labels"))
    uncertain = labels == UNCERTAIN
    assert uncertain.sum() == 4 * 24  # pixels of 0.1 mm at 0.05 mm
    assert (labels[~uncertain] == plain[~uncertain]).all()
    drawn = samples.select(Selection(29, names=("case1",)))
    places = drawn.at(np.arange(drawn.count))
    assert not uncertain[places[:, 1], places[:, 2]].any()
    clear = places[places[:, 3] == C4]
    assert not (samples.squares(clear[::97], 29, "labels") == UNCERTAIN).any()
    (case,) = [c for c in stored_cases(output, two.split) if c.name.name == "case1"]
    assert case.load().uncertain.sum() == 24


def test_patches_are_the_cached_image_and_zero_beyond_it(cases, tmp_path):
    samples = Samples(built(cases, tmp_path / "s.sqlite"))
    values = samples.array(1, "values") / 256
    positions = np.array([[1, 100, 120], [1, 3, 2], [1, len(values) - 1, values.shape[1] - 1]])
    middle, first, last = samples.squares(positions, 29)
    assert (middle == values[86:115, 106:135]).all()
    assert (first[14 - 3 :, 14 - 2 :] == values[:18, :17]).all()
    assert not first[:11].any()
    assert (last[:15, :15] == values[-15:, -15:]).all()
    assert not last[15:].any()


def test_images_are_prepared_as_the_pipeline_prepares_them(cases, tmp_path):
    from MicrocalcSegmentationLib.breast import breast_region
    from MicrocalcSegmentationLib.reading import read_mammogram
    from MicrocalcSegmentationLib.working import working_breast

    samples = Samples(built(cases, tmp_path / "s.sqlite"))
    (path, _), *_ = samples.files(1)
    mammogram = read_mammogram(path)
    working = working_breast(mammogram, breast_region(mammogram))
    values = samples.array(1, "values") / 256
    assert np.abs(values - working.values).max() <= 0.5 / 256
    assert values.std() > 0.5
    assert np.array_equal(samples.array(1, "labels") > 0, working.inside)


def test_every_problem_is_listed_at_once_and_nothing_is_built(cases, tmp_path, write_breast):
    (cases / "case0_mask.nrrd").unlink()
    (cases / "case1.nrrd").write_bytes(b"NRRD0004\nnonsense")
    write_breast(cases, "copy", 2)
    write_breast(cases, "empty", 7, mcs=0)
    table = "image,patient,positive,split\nempty,E,yes,\ncase3,A,,train\ncase4,A,,test\n"
    (cases / "cases.csv").write_text(table)
    dataset = open_dataset(cases)
    problems = {problem.image: str(problem) for problem in check([dataset], ONE_PROCESS, Silent())}
    assert set(problems) == {"case0", "case1", "copy", "empty", "case4"}
    assert "no mask beside it; put case0_mask.nrrd there" in problems["case0"]
    assert problems["case1"].startswith("case1.nrrd: ")
    assert problems["copy"] == ("copy.nrrd: the same picture as case2; exclude one of the two")
    assert problems["empty"].startswith("empty_mask.nrrd: no MC is marked, though the data set")
    assert "patient A is in 2 splits" in problems["case4"]
    output = tmp_path / "s.sqlite"
    with pytest.raises(UnsoundData, match="2 problems; nothing is built"):
        built(cases, output)
    assert not output.exists()
    left_out = BuildOptions((29,), exclude=frozenset(problems), workers=1)
    assert [i.name for i in Samples(built(cases, output, left_out)).images()] == ["case2", "case3"]


def test_a_problem_that_only_pixels_show_stops_the_build_until_mended(
    cases, tmp_path, write_breast
):
    whole = (cases / "case1.nrrd").read_bytes()
    (cases / "case1.nrrd").write_bytes(whole[: len(whole) // 2])
    output = tmp_path / "s.sqlite"
    with pytest.raises(UnsoundData, match=r"1 problems.*--exclude case1\n  case1.nrrd: .*copy"):
        built(cases, output)
    with pytest.raises(InputError, match="run the same `microcalc samples build` again"):
        Samples(output)
    (cases / "case1.nrrd").write_bytes(whole)
    assert len(Samples(built(cases, output)).images()) == 5


def test_marks_outside_the_breast_and_wrong_exclusions_are_problems(cases, write_breast):
    mask = np.zeros((400, 320), bool)
    mask[5:8, 280:283] = True
    write_breast(cases, "x", 9, mask)
    wanted = BuildOptions((29,), exclude=frozenset({"case77"}))
    found = [str(problem) for problem in check([open_dataset(cases)], wanted, Silent())]
    assert found == [
        "case77: excluded, but there is none; correct --exclude",
        "x_mask.nrrd: 9 of 9 marked pixels lie outside the breast; check that annotation and "
        "image belong together, or exclude the image",
    ]


def test_an_inverted_mask_is_a_problem(tmp_path, write_breast, make_breast):
    write_breast(tmp_path / "x", "x", 9, ~make_breast(9)[1])
    (found,) = check([open_dataset(tmp_path / "x")], ONE_PROCESS, Silent())
    assert str(found).startswith("x_mask.nrrd: 100% of the image is marked as MC; check that the")


def test_mcs_outside_the_breast_are_reported_also_inside_its_box(
    tmp_path, write_breast, make_breast
):
    mammogram, mask = make_breast(9, mcs=0)
    breast = breast_region(mammogram)
    rows, cols = (np.flatnonzero(breast.any(axis=axis)) for axis in (1, 0))
    place = rows[0], cols[-1] - 4  # a corner of the breast's bounding box
    assert not breast[place[0] : place[0] + 4, place[1] : place[1] + 4].any()
    mask[200:204, 40:46] = True
    mask[place[0] : place[0] + 4, place[1] : place[1] + 4] = True
    write_breast(tmp_path / "x", "x", 9, mask)
    (found,) = check([open_dataset(tmp_path / "x")], ONE_PROCESS, Silent())
    assert "1 of the marked regions lie outside the breast and would be lost; take" in str(found)
    mask[200:204, 40:43] = False
    write_breast(tmp_path / "x", "x", 9, mask)
    (found,) = check([open_dataset(tmp_path / "x")], ONE_PROCESS, Silent())
    assert "16 of 28 marked pixels lie outside the breast; check that annotation" in str(found)


@pytest.mark.parametrize("said", ["yes", "no"])
def test_pixels_that_may_be_mcs_contradict_no_table(tmp_path, write_breast, said):
    cases = tmp_path / "x"
    write_breast(cases, "x", 9, mcs=0)
    mask = sitk.ReadImage(str(cases / "x_mask.nrrd"))
    ignored = sitk.GetArrayFromImage(mask)
    ignored[0, 200:204, 40:46] = 1
    image = sitk.GetImageFromArray(ignored)
    image.CopyInformation(mask)
    sitk.WriteImage(image, str(cases / "x_ignored.nrrd"))
    (cases / "cases.csv").write_text(f"image,positive\nx,{said}\n")
    assert check([open_dataset(cases)], ONE_PROCESS, Silent()) == ()


def test_adding_images_keeps_what_is_there(cases, tmp_path, write_breast):
    output = tmp_path / "s.sqlite"
    before = contents(built(cases, output))
    write_breast(cases, "new", 11)
    after = contents(built(cases, output))
    assert set(before["runs"]) < set(after["runs"])
    assert [row for row in after["images"] if row[2] != "new"] == before["images"]
    with pytest.raises(InputError, match=r"begun with patch_sides \[29\], not \[49\]"):
        built(cases, output, BuildOptions(patch_sides=(49,)))


def test_workers_make_the_same_database(cases, tmp_path):
    one = contents(built(cases, tmp_path / "one.sqlite"))
    two = contents(built(cases, tmp_path / "two.sqlite", BuildOptions((29,), workers=2)))
    assert one == two


def test_a_killed_build_goes_on_to_the_same_contents(cases, tmp_path):
    whole = contents(built(cases, tmp_path / "whole.sqlite"))
    output = tmp_path / "killed.sqlite"
    code = (
        "import sys; from MicrocalcSegmentationLib.cli import main;"
        f"main(['samples', 'build', {str(cases)!r}, '-o', {str(output)!r}, '-q',"
        " '--patch-sides', '29', '--workers', '1'])"
    )
    rng = np.random.default_rng(1)
    kills = 0
    for _ in range(20):
        process = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
        part = output.with_name("killed.sqlite.part")
        while process.poll() is None and not part.exists():
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.3))
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
            kills += 1
        process.wait()
        if output.exists():
            break
    assert kills > 0
    assert contents(built(cases, output)) == whole
    assert Samples(output).verify() == []


def test_damage_is_noticed(cases, tmp_path):
    output = built(cases, tmp_path / "s.sqlite")
    cache = tmp_path / "s.sqlite.cache"
    array = next(cache.glob("*-values.npy"))
    data = bytearray(array.read_bytes())
    data[5000] ^= 1
    array.write_bytes(data)
    with sqlite3.connect(output) as connection:
        connection.execute("DELETE FROM runs WHERE grp = (SELECT MAX(grp) FROM runs)")
    faults = Samples(output).verify()
    assert any("has lost samples" in fault for fault in faults)
    assert any(fault.startswith(f"{array.name}: missing or changed") for fault in faults)
    with sqlite3.connect(output) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(InputError, match="schema 99, this program knows 2; build it again"):
        Samples(output)
    output.write_bytes(b"nonsense")
    with pytest.raises(InputError, match="not a database, or damaged"):
        Samples(output)


def test_a_lost_cache_and_an_unknown_patch_side_are_refused(cases, tmp_path):
    output = built(cases, tmp_path / "s.sqlite")
    with pytest.raises(InputError, match="no samples for patches of 49, only of 29"):
        Samples(output).select(Selection(49))
    (tmp_path / "s.sqlite.cache").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match=r"s.sqlite.cache: missing; it belongs to s.sqlite"):
        Samples(output)


def test_the_command_checks_builds_lists_and_verifies(cases, tmp_path, capsys):
    output = tmp_path / "s.sqlite"
    assert main(["samples", "check", str(cases), "-q"]) == 0
    assert (
        main(["samples", "build", str(cases), "-o", str(output), "--workers", "1", "--json"]) == 0
    )
    listed = json.loads(capsys.readouterr().out)
    assert [image["name"] for image in listed["images"]] == [f"case{n}" for n in range(5)]
    assert {row["patch_side"] for row in listed["samples"]} == {29, 39, 49}
    assert main(["samples", "list", str(output)]) == 0
    assert re.search(r"^train +3 images +3 patients +\d+ MCs", capsys.readouterr().out)
    assert main(["samples", "verify", str(output)]) == 0
    assert capsys.readouterr().out == f"{output}: whole\n"
    next((tmp_path / "s.sqlite.cache").glob("*-labels.npy")).unlink()
    assert main(["samples", "verify", str(output)]) == 1
    (cases / "case1_mask.nrrd").unlink()
    assert main(["samples", "check", str(cases), "--json"]) == 1
    captured = capsys.readouterr()
    assert "microcalc: note: 4 of 4 images do not say whose they are" in captured.err
    assert len(json.loads(captured.out)["notes"]) == 1
    assert json.loads(captured.out)["problems"][0]["image"] == "case1"
    assert "microcalc: case1: case1.nrrd: no mask beside it; put" in captured.err


def test_a_spacing_can_be_given_to_one_of_several_sets(cases, tmp_path, write_breast, capsys):
    film = tmp_path / "film"
    write_breast(film, "silent", 8)
    for path in film.glob("*.nrrd"):
        image = sitk.ReadImage(str(path))
        image.SetSpacing((1.0, 1.0, 1.0))
        sitk.WriteImage(image, str(path))
    command = ["samples", "check", str(film), str(cases), "-q", "--spacing-mm"]
    assert main([*command, f"{film}=0.09"]) == 0
    assert main([*command, "0.09"]) == 1
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 5
    assert said[0].startswith("microcalc: case0: case0.nrrd: states a spacing of 0.1 x 0.1 mm")
    assert main([*command, "0.1", "--spacing-mm", f"{film}=0.09"]) == 0
    assert main([*command, "filn=0.09"]) == 1
    assert "--spacing-mm filn=...: no such SET; name one" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("option", "value", "says"),
    [
        ("--patch-sides", "48", "48 is no patch side"),
        ("--split", "1/2", "three numbers"),
        ("--layout", "dmid", "invalid choice"),
    ],
)
def test_wrong_usage_of_the_command_is_named(option, value, says, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["samples", "build", "x", "-o", "y", option, value])
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("given", [["detector", "--samples", "s.sqlite"], []])
def test_no_steps_without_a_pair_to_keep_from_are_wrong_usage(given, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", *given, "-o", "y", "--steps", "0,20"])
    assert "--steps: 0 keeps a network of --start" in capsys.readouterr().err
