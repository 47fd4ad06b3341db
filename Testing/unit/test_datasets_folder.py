"""Folders of images and masks, as users keep them."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk
from dataset_files import (
    only,
    problem,
    write_image,
    write_nrrd,
    write_secondary,
    write_segmentation,
)
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.simulation.cases import CaseOptions, simulate_case, write_case
from MicrocalcSegmentationLib.training.datasets import open_dataset
from MicrocalcSegmentationLib.training.datasets.notes import notes
from MicrocalcSegmentationLib.training.samples.preparing import examine
from PIL import Image


@pytest.mark.parametrize("ending", ["nrrd", "png", "mha", "tif"])
def test_a_mask_of_any_type_beside_an_image(tmp_path, make_breast, ending):
    mammogram, mask = make_breast(1)
    write_image(tmp_path / "a" / "left.dcm", mammogram)
    path = tmp_path / "a" / f"left_mask.{ending}"
    if ending == "png":
        Image.fromarray(mask.astype(np.uint8) * 255).save(path)
    elif ending == "tif":
        sitk.WriteImage(sitk.GetImageFromArray(mask.astype(np.uint8)), str(path))
    else:
        write_nrrd(path, mask.astype(np.uint8))
    image = only(open_dataset(tmp_path))
    annotation = image.load()
    assert (annotation.mask == mask).all()
    assert (annotation.mammogram.pixels == mammogram.pixels).all()
    assert not annotation.uncertain.any()
    assert (image.name, image.source, image.level) == ("left", "folder a", "mc")


def test_what_simulate_writes_is_known_as_simulated(tmp_path):
    options = CaseOptions(kind="film", spacing_mm=0.1, shape=(600, 400), clusters=1)
    case = simulate_case(5, options)
    write_case(case, tmp_path)
    image = only(open_dataset(tmp_path))
    assert (image.source, image.kind) == ("simulated", "film")
    assert image.patient == "SYNTHETIC-5"
    assert case.mask.any()
    assert case.ignored.any()
    assert (image.load().mask == case.mask).all()
    assert (image.load().uncertain == case.ignored).all()


@pytest.mark.parametrize("ending", [".nrrd", ".png", ".seg.nrrd"])
def test_pixels_to_ignore_are_uncertain_where_they_are_no_mc(tmp_path, make_breast, ending):
    mammogram, mask = make_breast(1)
    write_image(tmp_path / "left.dcm", mammogram)
    write_nrrd(tmp_path / "left_mask.nrrd", mask.astype(np.uint8))
    ignored = np.roll(mask, 2, axis=1)
    path = tmp_path / f"left_ignored{ending}"
    if ending == ".png":
        Image.fromarray(ignored.astype(np.uint8) * 255).save(path)
    else:
        write_nrrd(path, ignored.astype(np.uint8))
    image = only(open_dataset(tmp_path))
    assert [file.name for file in image.files] == ["left.dcm", "left_mask.nrrd", path.name]
    assert (image.load().mask == mask).all()
    assert (image.load().uncertain == (ignored & ~mask)).all()


def test_a_cropped_and_shifted_segmentation_lies_where_its_header_says(tmp_path, make_breast):
    mammogram, mask = make_breast(2)
    geometry = replace(mammogram.geometry, origin_lps=(12.0, -3.5, 0.0))
    mammogram = replace(mammogram, geometry=geometry)
    values = np.zeros(mask.shape, np.uint8)
    values[:], values[mask] = 2, 1  # 2: the breast, segmented as well
    values[:5] = 0
    row, col = 5, 0
    tags = {
        "Segment0_Name": "cluster 1",
        "Segment0_LabelValue": "1",
        "Segment1_Name": "Breast",
        "Segment1_LabelValue": "2",
    }
    origin = tuple(geometry.position_lps(np.array([row, col])))
    write_nrrd(tmp_path / "x.nrrd", mammogram.pixels, origin=geometry.origin_lps)
    path = tmp_path / "corrected" / "x.seg.nrrd"
    write_nrrd(path, values[row:], origin=origin, tags=tags)
    assert (only(open_dataset(tmp_path)).load().mask == mask).all()
    write_nrrd(path, values[row:], origin=(origin[0] - 14, *origin[1:]), tags=tags)
    with pytest.raises(InputError, match=r"marked pixels lie outside the image"):
        only(open_dataset(tmp_path)).load()


def test_what_segment_writes_comes_back_as_training_data(tmp_path, make_findings):
    from MicrocalcSegmentationLib.export import nrrd

    findings = make_findings()
    write_nrrd(tmp_path / "film.nrrd", findings.mammogram.pixels, 0.1)
    (tmp_path / "results").mkdir()
    nrrd.write_segmentation(findings, tmp_path / "results" / "film.seg.nrrd")
    assert (only(open_dataset(tmp_path)).load().mask == (findings.labels > 0)).all()


def test_a_dicom_segmentation_goes_with_the_image_it_refers_to(tmp_path, make_breast):
    first, second = make_breast(1), make_breast(2)
    one = write_image(tmp_path / "one.dcm", first[0], seed=1)
    two = write_image(tmp_path / "two.dcm", second[0], seed=2)
    breast = np.ones(first[1].shape, bool)
    write_segmentation(tmp_path / "from_pacs" / "b", {"MC": second[1], "Breast": breast}, two)
    write_segmentation(tmp_path / "from_pacs" / "a", {"MC": first[1]}, one)
    dataset = open_dataset(tmp_path)
    assert dataset.problems == ()
    for image, (_, mask) in zip(dataset.images, (first, second), strict=True):
        assert (image.load().mask == mask).all()


def test_patient_kind_and_split_come_from_table_then_json_then_header(tmp_path, make_breast):
    for name in ("a", "b", "c"):
        mammogram, mask = make_breast(ord(name))
        write_image(tmp_path / f"{name}.dcm", mammogram, seed=ord(name))
        write_nrrd(tmp_path / f"{name}_mask.nrrd", mask.astype(np.uint8))
    (tmp_path / "a.json").write_text(json.dumps({"patient": "J", "kind": "digital"}))
    (tmp_path / "b.json").write_text(json.dumps({"patient": "J", "positive": True}))
    table = "image,patient,kind,split\na.dcm,T,film,test\n"
    (tmp_path / "cases.csv").write_text(table)
    a, b, c = open_dataset(tmp_path).images
    assert (a.patient, a.kind, a.split, a.positive) == ("T", "film", "test", None)
    assert (b.patient, b.kind, b.split, b.positive) == ("J", "unstated", None, True)
    assert c.patient == f"SYNTHETIC-{ord('c')}"


def test_what_does_not_fit_is_listed_with_file_and_remedy(tmp_path, make_breast):
    mammogram, mask = make_breast(1)
    write_image(tmp_path / "alone.dcm", mammogram)
    write_nrrd(tmp_path / "lost_mask.nrrd", mask.astype(np.uint8))
    write_image(tmp_path / "twice.dcm", mammogram)
    for ending in ("_mask.nrrd", ".seg.nrrd"):
        write_nrrd(tmp_path / f"twice{ending}", mask.astype(np.uint8))
    write_image(tmp_path / "open.dcm", mammogram)
    for ending in ("_mask.nrrd", "_ignored.nrrd", "_ignored.seg.nrrd"):
        write_nrrd(tmp_path / f"open{ending}", mask.astype(np.uint8))
    write_nrrd(tmp_path / "gone_ignored.nrrd", mask.astype(np.uint8))
    (tmp_path / "cases.csv").write_text("image,patient\nnowhere.dcm,P\n")
    found = {problem.image: str(problem) for problem in open_dataset(tmp_path).problems}
    assert found == {
        "alone": "alone.dcm: no mask beside it; put alone_mask.nrrd there (all 0 when there "
        "is no MC), or exclude it",
        "lost": "lost_mask.nrrd: a mask without an image; put it beside an image called "
        "lost, or move it away",
        "twice": "twice.dcm: more than one mask: twice.seg.nrrd, twice_mask.nrrd; keep the "
        "right one alone",
        "open": "open.dcm: more than one mask: open_ignored.nrrd, open_ignored.seg.nrrd; keep "
        "the right one alone",
        "gone": "gone_ignored.nrrd: a mask without an image; put it beside an image called "
        "gone, or move it away",
        "nowhere.dcm": "cases.csv: names the image nowhere.dcm, which is not there; correct "
        "the table",
    }


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda mask: (mask[:, 1:], 0.1), r"400 x 319 pixels, its image 400 x 320"),
        (lambda mask: (mask, 0.08), r"spacing is 0.08 x 0.08 mm, its image's 0.1 x 0.1"),
    ],
)
def test_a_mask_of_another_size_or_spacing_is_refused(tmp_path, make_breast, edit, says):
    mammogram, mask = make_breast(1)
    write_image(tmp_path / "a.dcm", mammogram)
    values, spacing = edit(mask.astype(np.uint8))
    write_nrrd(tmp_path / "a_mask.nrrd", values, spacing)
    with pytest.raises(InputError, match=rf"a_mask.nrrd: .*{says}"):
        only(open_dataset(tmp_path)).load()


def test_a_damaged_table_or_mask_is_named(tmp_path, make_breast):
    mammogram, _ = make_breast(1)
    write_image(tmp_path / "a.dcm", mammogram)
    (tmp_path / "a_mask.nrrd").write_bytes(b"NRRD0004\nnonsense")
    with pytest.raises(InputError, match=r"a_mask.nrrd: cannot be read as a mask"):
        only(open_dataset(tmp_path)).load()
    (tmp_path / "cases.csv").write_text("picture\na.dcm\n")
    assert problem(open_dataset(tmp_path)).startswith("cases.csv: not a table with a column")


def test_a_given_spacing_is_for_images_that_state_none(tmp_path, make_breast):
    mammogram, mask = make_breast(1)
    for name, spacing_mm in (("silent", 1.0), ("stating", 0.1), ("odd", 0.5)):
        write_nrrd(tmp_path / f"{name}.nrrd", mammogram.pixels, spacing_mm)
        write_nrrd(tmp_path / f"{name}_mask.nrrd", mask.astype(np.uint8), 1.0)
    odd, silent, stating = open_dataset(tmp_path, spacing_mm=(0.05, 0.06)).images
    for image in (odd, silent):  # no mammogram has 0.5 mm, so this says nothing either
        assert image.load().mammogram.spacing_mm == (0.05, 0.06)
    with pytest.raises(InputError) as refused:
        stating.load()
    assert str(refused.value) == (
        "stating.nrrd: states a spacing of 0.1 x 0.1 mm, though --spacing-mm gives 0.05 x 0.06 mm; "
        "give that only to images that state none, or correct the header"
    )
    with pytest.raises(InputError, match=r"silent.nrrd: no pixel spacing in the file"):
        open_dataset(tmp_path).images[1].load()
    *_, stating = open_dataset(tmp_path, spacing_mm=(0.1, 0.1)).images
    assert stating.load().mammogram.source.spacing_from == "file header"


@pytest.fixture
def twins(tmp_path, make_breast):
    """A folder in which A and B hold an image each of the same name, and its mask."""
    mammogram, mask = make_breast(1)
    for place in ("A", "B"):
        write_nrrd(tmp_path / place / "left.nrrd", mammogram.pixels)
        write_nrrd(tmp_path / place / "left_mask.nrrd", mask.astype(np.uint8))
    return tmp_path


@pytest.mark.parametrize("named", ["{}/left.nrrd", "{}/left", "{}\\left.nrrd", "./{}/left.nrrd"])
def test_a_row_may_name_an_image_by_its_path(twins, named):
    rows = "".join(f"{named.format(place)},patient {place}\n" for place in "AB")
    (twins / "cases.csv").write_text("image,patient\n" + rows)
    dataset = open_dataset(twins)
    assert dataset.problems == ()
    assert [image.patient for image in dataset.images] == ["patient A", "patient B"]


def test_a_bare_name_is_refused_where_several_images_have_it(twins):
    (twins / "cases.csv").write_text("image,patient\nleft.nrrd,P\n")
    assert problem(open_dataset(twins)) == (
        "cases.csv: names the image left.nrrd, of which there are 2 (A/left.nrrd, B/left.nrrd); "
        "write its path below the folder"
    )


def test_rows_that_disagree_on_an_image_are_a_problem(twins):
    rows = "A/left.nrrd,P,film\nA/left,P,\nA\\left,Q,film\n"
    (twins / "cases.csv").write_text("image,patient,kind\n" + rows)
    dataset = open_dataset(twins)
    assert problem(dataset) == (
        "cases.csv: rows for A\\left disagree: patient P and Q; keep the right one alone"
    )
    assert dataset.problems[0].image == "A-left"


def test_images_that_only_a_folder_far_above_tells_apart_have_names_of_their_own(
    tmp_path, make_breast
):
    mammogram, mask = make_breast(1)
    for place in ("P1/series", "P2/series", "P2"):
        write_nrrd(tmp_path / place / "1-1.nrrd", mammogram.pixels)
        write_nrrd(tmp_path / place / "1-1_mask.nrrd", mask.astype(np.uint8))
    dataset = open_dataset(tmp_path)
    assert dataset.problems == ()
    names = {image.name for image in dataset.images}
    assert names == {"P1-series-1-1", "P2-series-1-1", f"{tmp_path.name}-P2-1-1"}


def test_a_uid_as_a_name_keeps_its_last_number(tmp_path, make_breast):
    mammogram, mask = make_breast(1)
    for name in ("1.2.840.7", "1.2.840.8"):
        write_image(tmp_path / name, mammogram)
        write_nrrd(tmp_path / f"{name}_mask.nrrd", mask.astype(np.uint8))
    dataset = open_dataset(tmp_path)
    assert dataset.problems == ()
    assert [image.name for image in dataset.images] == ["1.2.840.7", "1.2.840.8"]


def test_a_dicom_mask_needs_no_ending_either(tmp_path, make_breast):
    mammogram, mask = make_breast(1)
    write_image(tmp_path / "1.2.840.7", mammogram)
    write_secondary(tmp_path / "1.2.840.7_mask", mask.astype(np.uint8))
    assert (only(open_dataset(tmp_path)).load().mask == mask).all()


def test_kinds_are_known_ones_in_any_letters(twins):
    (twins / "cases.csv").write_text("image,kind\nA/left,Digital\nB/left,FFDM\n")
    dataset = open_dataset(twins)
    assert [image.kind for image in dataset.images] == ["digital"]
    assert problem(dataset) == (
        "left.nrrd: kind 'FFDM' is unknown; write digital or film in cases.csv"
    )


def test_guessed_patients_and_splits_that_would_stay_empty_are_said(tmp_path, make_breast):
    mammogram, mask = make_breast(1)
    for name in ("p1_LCC", "p1_LMLO", "p2_LCC", "p2_LMLO"):
        write_nrrd(tmp_path / f"{name}.nrrd", mammogram.pixels)
        write_nrrd(tmp_path / f"{name}_mask.nrrd", mask.astype(np.uint8))
    (guessed,) = notes(open_dataset(tmp_path).images)
    assert guessed.startswith(
        "4 of 4 images do not say whose they are, and count as a patient each (p1_LCC, p1_LMLO, "
        "p2_LCC, ...); where two are of one patient, say so in cases.csv"
    )
    rows = "".join(f"p{n}_L{view},ANON\n" for n in (1, 2) for view in ("CC", "MLO"))
    (tmp_path / "cases.csv").write_text("image,patient\n" + rows)
    (empty,) = notes(open_dataset(tmp_path).images)
    assert empty.startswith(
        "validation and test would stay empty: the 4 images are of 1 patient (ANON); give more"
    )
    (tmp_path / "cases.csv").write_text("image,patient,split\n" + rows.replace("\n", ",tset\n"))
    assert notes(open_dataset(tmp_path).images) == []  # that the split is unknown is a problem
    assert notes([]) == []
    (tmp_path / "cases.csv").write_text("image,patient\n" + rows)
    assert notes(open_dataset(tmp_path).images, (1, 0, 0)) == []  # as asked for


def test_one_bad_file_is_listed_beside_the_rest(tmp_path, make_breast):
    mammogram, mask = make_breast(1)
    for name in ("sound", "cut", "locked", "zeros", "odd"):
        path = write_image(tmp_path / f"{name}.dcm", mammogram)
        write_nrrd(tmp_path / f"{name}_mask.nrrd", mask.astype(np.uint8))
    whole = path.read_bytes()
    (tmp_path / "cut.dcm").write_bytes(whole[:140])
    (tmp_path / "zeros.dcm").write_bytes(b"")
    (tmp_path / "odd.dcm").write_bytes(whole[:132] + bytes(range(256)) * 9)
    # Even an administrator may not read this, whatever the permissions are.
    (tmp_path / "locked.dcm").unlink()
    (tmp_path / "locked.dcm").symlink_to("/proc/self/mem")
    (tmp_path / "notes").write_bytes(b"")
    write_segmentation(tmp_path / "seg.dcm", {"MC": mask}, tmp_path / "sound.dcm")
    (tmp_path / "seg.dcm").write_bytes((tmp_path / "seg.dcm").read_bytes()[:600])
    dataset = open_dataset(tmp_path)
    assert [image.name for image in dataset.images] == ["sound"]
    found = {problem.image: problem for problem in dataset.problems}
    assert set(found) == {"cut", "locked", "zeros", "odd", "seg"}
    assert str(found["locked"]).startswith("locked.dcm: cannot be read (Input/output error); check")
    assert str(found["zeros"]) == "zeros.dcm: an empty file; copy or export it again"
    assert "a DICOM segmentation that refers to none" in str(found["seg"])
    for name in ("cut", "odd"):
        assert re.search(rf"{name}.dcm: .*(damaged|header).*export it again", str(found[name]))


def test_no_damage_of_a_header_ends_the_list(tmp_path, make_breast):
    mammogram, mask = make_breast(1)
    path = write_image(tmp_path / "left.dcm", mammogram)
    write_nrrd(tmp_path / "left_mask.nrrd", mask.astype(np.uint8))
    write_segmentation(tmp_path / "right.dcm", {"MC": mask}, path)
    whole = {file: file.read_bytes() for file in (path, tmp_path / "right.dcm")}
    rng = np.random.default_rng(1)
    for _ in range(60):
        for file, data in whole.items():
            damaged = bytearray(data[: rng.integers(132, 1200)] if rng.random() < 0.3 else data)
            for place in rng.integers(132, min(len(damaged), 1200), size=9):
                damaged[place] = rng.integers(256)
            file.write_bytes(damaged)
        dataset = open_dataset(tmp_path)
        assert len(dataset.images) + len(dataset.problems) > 0
        for image in dataset.images:
            examine(image)


def test_an_empty_or_missing_folder_is_refused(tmp_path):
    with pytest.raises(InputError, match="no annotated image in layout 'folder'"):
        open_dataset(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        open_dataset(tmp_path / "missing")
    with pytest.raises(InputError, match="layout 'dmid' is unknown"):
        open_dataset(tmp_path, "dmid")
