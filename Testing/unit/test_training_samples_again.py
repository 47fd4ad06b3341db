"""Building a sample database again: what was refused, changed, moved or deleted since."""

from contextlib import closing

import numpy as np
import pytest
import SimpleITK as sitk
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.progress import Silent
from MicrocalcSegmentationLib.training.datasets import open_dataset
from MicrocalcSegmentationLib.training.samples import schema
from MicrocalcSegmentationLib.training.samples.access import Samples
from MicrocalcSegmentationLib.training.samples.build import BuildOptions, UnsoundData, build
from PIL import Image

BLANK = np.zeros((400, 320), bool)


@pytest.fixture
def output(tmp_path):
    return tmp_path / "s.sqlite"


@pytest.fixture
def write(tmp_path, write_breast):
    """A function (folder, *seeds): small images called case<seed>; returns the folder."""

    def write_all(folder, *seeds):
        for seed in seeds:
            write_breast(tmp_path / folder, f"case{seed}", seed)
        return tmp_path / folder

    return write_all


def built(output, *folders, exclude=()):
    options = BuildOptions((29,), exclude=frozenset(exclude), workers=1)
    return build([open_dataset(folder) for folder in folders], output, options, Silent())


def images(output):
    samples = Samples(output)
    found = {image.name: image for image in samples.images()}
    assert samples.verify() == []
    samples.close()
    return found


def say(folder, *rows):
    """Write the folder's cases.csv."""
    lines = ("image,patient,kind,split,positive", *rows)
    (folder / "cases.csv").write_text("\n".join(lines) + "\n")
    return folder


def damage(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return whole


def test_nothing_of_a_refused_set_is_in_a_later_database(output, write):
    refused = write("refused", 1, 2)
    damage(refused / "case2.nrrd")
    with pytest.raises(UnsoundData):
        built(output, refused)
    built(output, write("sound", 3))
    assert set(images(output)) == {"case3"}
    cached = {path.name for path in output.with_name("s.sqlite.cache").iterdir()}
    assert len(cached) == 2


def test_a_refused_set_that_is_mended_is_not_prepared_twice(output, write):
    cases = write("cases", 1, 2)
    whole = damage(cases / "case2.nrrd")
    with pytest.raises(UnsoundData):
        built(output, cases)
    cached = output.with_name("s.sqlite.cache") / "000001-values.npy"
    written = cached.stat().st_mtime_ns
    (cases / "case2.nrrd").write_bytes(whole)
    built(output, cases)
    assert set(images(output)) == {"case1", "case2"}
    assert cached.stat().st_mtime_ns == written


def test_a_refused_extension_leaves_the_database_whole(output, write, write_breast):
    cases = write("cases", 1, 2)
    before = images(built(output, cases))
    write_breast(cases, "case2", 2, BLANK)  # the newest image, whose number must not be given anew
    write("cases", 3)
    damage(cases / "case3.nrrd")
    with pytest.raises(UnsoundData):
        built(output, cases)
    assert images(output) == before


def test_an_extension_keeps_what_other_folders_gave(output, write):
    built(output, write("first", 1, 2))
    built(output, write("second", 3))
    assert set(images(output)) == {"case1", "case2", "case3"}


MINED = ("detector", 29, 1, 5, 6, 4, 0.9, "m 1", 1)


def mined(output):
    with closing(schema.connect(output)) as connection:
        return connection.execute("SELECT * FROM mined").fetchall()


def mine_one(output):
    with closing(schema.connect(output, read_only=False)) as connection, connection:
        connection.execute(f"INSERT INTO mined VALUES ({', '.join('?' * 9)})", MINED)


def test_what_was_mined_since_an_interrupted_extension_is_kept(output, write):
    built(output, write("cases", 1, 2))
    damage(write("more", 3) / "case3.nrrd")
    with pytest.raises(UnsoundData):
        built(output, output.parent / "more")
    mine_one(output)
    built(output, write("cases", 4))
    assert mined(output) == [MINED]


def test_what_is_mined_during_an_extension_is_kept(output, write):
    built(output, write("cases", 1, 2))
    more = open_dataset(write("more", 3))

    class Mines:
        def report(self, fraction, text):
            mine_one(output)

    options = BuildOptions((29,), workers=1)
    with pytest.raises(InputError, match="was mined or built while this build ran; give it again"):
        build([more], output, options, Mines())
    build([more], output, options, Silent())
    assert mined(output) == [MINED]
    assert set(images(output)) == {"case1", "case2", "case3"}


def test_the_same_picture_in_two_builds_is_found(output, write, write_breast):
    built(output, write("first", 1))
    write_breast(output.parent / "second", "copy", 1)
    with pytest.raises(UnsoundData, match=r"copy.nrrd: the same picture as case1; exclude one"):
        built(output, output.parent / "second")


def test_an_image_called_as_one_of_another_folder_is_a_problem(output, write, write_breast):
    built(output, write("first", 1))
    write_breast(output.parent / "second", "case1", 5)
    write("second", 6)
    with pytest.raises(
        UnsoundData, match=r"case1.nrrd: another image of the database is called case1 .*first"
    ):
        built(output, output.parent / "second")
    built(output, output.parent / "second", exclude=("case1",))
    assert set(images(output)) == {"case1", "case6"}


def test_a_folder_that_was_moved_is_taken_from_its_new_place(output, write):
    built(output, write("first", 1))
    (output.parent / "first").rename(output.parent / "second")
    built(output, output.parent / "second")
    samples = Samples(output)
    ((path, _), *_) = samples.files(samples.images()[0].number)
    assert path == output.parent / "second" / "case1.nrrd"


def test_an_image_that_was_deleted_or_left_out_is_in_the_database_no_more(output, write, caplog):
    cases = write("cases", 1, 2, 3)
    built(output, cases)
    for path in cases.glob("case2*"):
        path.unlink()
    assert not caplog.text
    built(output, cases, exclude=("case3",))
    assert set(images(output)) == {"case1"}
    assert "dropped from the database: case2, case3" in caplog.text
    cached = output.with_name("s.sqlite.cache").iterdir()
    assert sorted(path.name for path in cached) == ["000001-labels.npy", "000001-values.npy"]


def test_what_the_table_says_anew_of_patient_kind_and_split_is_taken(output, write):
    cases = write("cases", 1, 2, 3)
    built(output, say(cases, "case1,A,film,train,", "case2,A,film,train,", "case3,B,,train,"))
    built(output, say(cases, "case1,C,digital,test,", "case2,A,film,train,", "case3,B,,train,"))
    found = images(output)
    said = (found["case1"].patient, found["case1"].kind, found["case1"].split)
    assert said == ("C", "digital", "test")
    assert (found["case2"].split, found["case3"].split) == ("train", "train")


def test_a_split_that_is_stated_no_more_stays(output, write):
    cases = write("cases", 1, 2, 3)
    built(output, say(cases, "case1,A,,test,"))
    built(output, say(cases, "case1,A,,,"))
    assert images(output)["case1"].split == "test"


def test_a_stated_split_against_that_of_an_earlier_build_is_a_problem(output, write):
    built(output, say(write("first", 1), "case1,A,,train,"))
    again = say(write("second", 2), "case2,A,,test,")
    sentence = "case2.nrrd: patient A is stated to be in test, but in train for case1 of an earlier"
    with pytest.raises(UnsoundData, match=sentence):
        built(output, again)
    assert set(images(output)) == {"case1"}


def test_an_image_that_is_now_called_negative_is_looked_at_again(output, write):
    cases = write("cases", 1, 2)
    built(output, cases)
    with pytest.raises(UnsoundData, match="MCs are marked, though the data set calls the image"):
        built(output, say(cases, "case2,A,,,no"))


def test_another_spacing_prepares_the_images_of_a_folder_anew(output, write):
    cases = write("cases", 1)
    for stem in ("case1", "case1_mask"):
        pixels = sitk.GetArrayFromImage(sitk.ReadImage(str(cases / f"{stem}.nrrd")))[0]
        eight_bits = pixels if stem.endswith("mask") else pixels // 16
        Image.fromarray(eight_bits.astype(np.uint8)).save(cases / f"{stem}.png")
        (cases / f"{stem}.nrrd").unlink()
    rows = []
    for spacing_mm in ((0.1, 0.1), (0.05, 0.05)):
        dataset = open_dataset(cases, None, spacing_mm)
        build([dataset], output, BuildOptions((29,), workers=1), Silent())
        rows.append(images(output)["case1"].shape[0])
    assert rows[0] > rows[1]
    samples = Samples(output)
    assert samples.files(samples.images()[0].number)[2] == (0.05, 0.05)
