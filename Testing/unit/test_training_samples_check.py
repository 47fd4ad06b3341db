"""What is wrong with annotated images: said all at once, and nothing is built of them."""

import numpy as np
import pytest
import SimpleITK as sitk
from dataset_files import ONE_PROCESS, built
from MicrocalcSegmentationLib.breast import breast_region
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.progress import Silent
from MicrocalcSegmentationLib.training.datasets import open_dataset
from MicrocalcSegmentationLib.training.samples.access import Samples
from MicrocalcSegmentationLib.training.samples.build import BuildOptions, UnsoundData, check


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
    assert str(found).startswith(
        "x_mask.nrrd: 1 of the marked regions lie outside the breast; noth"
    )
    assert found.harmless
    mask[200:204, 40:43] = False
    write_breast(tmp_path / "x", "x", 9, mask)
    (found,) = check([open_dataset(tmp_path / "x")], ONE_PROCESS, Silent())
    assert "16 of 28 marked pixels lie outside the breast; check that annotation" in str(found)
    assert not found.harmless


def test_an_mc_outside_the_breast_is_told_and_keeps_no_image_from_being_built(
    tmp_path, write_breast, make_breast, caplog
):
    mask = make_breast(9)[1]
    write_breast(tmp_path / "sound", "x", 9, mask)
    mask[5:7, 280:282] = True
    write_breast(tmp_path / "outside", "x", 9, mask)
    sound, outside = (
        Samples(built(tmp_path / name, tmp_path / f"{name}.sqlite")).images()[0].mcs
        for name in ("sound", "outside")
    )
    assert sound == outside > 0
    assert "1 of the marked regions lie outside the breast; nothing is learnt" in caplog.text


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
