"""The sample database: building, resuming, drawing, noticing damage."""

import os
import signal
import sqlite3
import subprocess
import sys
import time

import numpy as np
import pytest
import SimpleITK as sitk
from dataset_files import built
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.evaluation.stored_cases import stored_cases
from MicrocalcSegmentationLib.training.samples.access import Samples, Selection
from MicrocalcSegmentationLib.training.samples.build import BuildOptions
from MicrocalcSegmentationLib.training.samples.classes import (
    C1,
    C2,
    C3,
    C4,
    OUTSIDE,
    SKIN,
    UNCERTAIN,
    class_map,
)


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
