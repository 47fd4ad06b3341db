"""CBIS-DDSM, in small files of the published layout."""

import re
import shutil

import numpy as np
import pytest
from dataset_files import drop_spacing, only, problem, write_image, write_secondary
from MicrocalcSegmentationLib.training.datasets import open_dataset, read_annotation
from MicrocalcSegmentationLib.training.datasets.annotated import CLUSTER_LEVEL


@pytest.fixture
def cbis(tmp_path, make_breast):
    """A function that adds a view to a folder laid out like CBIS-DDSM; `root` is the folder."""
    columns = (
        "patient_id,breast density,left or right breast,image view,abnormality id,"
        "abnormality type,calc type,calc distribution,assessment,pathology,subtlety,"
        "image file path,cropped image file path,ROI mask file path\n"
    )

    def add(patient, view, mammogram, regions, table="train", swapped=False, renamed=False):
        prefix = "Calc-Training" if table == "train" else "Calc-Test"
        base = f"{prefix}_{patient}_{view}"
        named = f"{base}/1.3.6.1.4.1.9590.1/1.3.6.1.4.1.9590.2/000000.dcm"
        lines = []
        if mammogram is not None:
            path = f"{base}/07-20-2016-DDSM-NA-1/1.0-full-2/1-1.dcm" if renamed else named
            write_image(tmp_path / "CBIS-DDSM" / path, mammogram)
            drop_spacing(tmp_path / "CBIS-DDSM" / path)
        for number, region in enumerate(regions or [np.ones((2, 2), bool)], 1):
            series = f"{base}_{number}/1.3.6.1.4.1.9590.3/1.3.6.1.4.1.9590.4"
            files = [f"{series}/000000.dcm", f"{series}/000001.dcm"]
            crop, mask = files[::-1] if swapped else files
            lines.append(
                f"{patient},3,{view.split('_')[0]},{view.split('_')[1]},{number},calcification,"
                f'PLEOMORPHIC,CLUSTERED,4,MALIGNANT,4,{named},"{files[0]}\n","{files[1]}\n"\n'
            )
            if not regions:
                continue
            if renamed:
                folder = f"{base}_{number}/07-20-2016-DDSM-NA-9/1.0-ROI-mask-images-3"
                crop, mask = f"{folder}/1-1.dcm", f"{folder}/1-2.dcm"
            grey = make_breast(number)[0].pixels[:37, :41]
            write_secondary(tmp_path / "CBIS-DDSM" / crop, grey.astype(np.uint16))
            write_secondary(tmp_path / "CBIS-DDSM" / mask, region.astype(np.uint8) * 255)
        csv = tmp_path / f"calc_case_description_{table}_set.csv"
        before = csv.read_text() if csv.is_file() else columns
        csv.write_text(before + "".join(lines))

    add.root = tmp_path
    return add


def test_a_view_is_read_with_all_its_regions(cbis, make_breast):
    mammogram, _ = make_breast(1, 0.05)
    regions = [np.zeros(mammogram.pixels.shape, bool) for _ in range(2)]
    regions[0][100:150, 60:90] = True
    regions[1][300:320, 40:80] = True
    cbis("P_00005", "RIGHT_CC", mammogram, regions)
    image = only(open_dataset(cbis.root, spacing_mm=(0.05, 0.05)))
    assert image.name == "Calc-Training_P_00005_RIGHT_CC"
    assert (image.patient, image.kind, image.level) == ("P_00005", "film", CLUSTER_LEVEL)
    annotation = image.load()
    assert (annotation.mask == regions[0] | regions[1]).all()
    assert (annotation.mammogram.pixels == mammogram.pixels).all()


@pytest.mark.parametrize("written", [{"swapped": True}, {"renamed": True}], ids=str)
def test_crop_and_mask_may_have_changed_places_or_tcias_newer_names(cbis, make_breast, written):
    mammogram, _ = make_breast(1, 0.05)
    region = np.zeros(mammogram.pixels.shape, bool)
    region[100:150, 60:90] = True
    cbis("P_00005", "LEFT_MLO", mammogram, [region], **written)
    image = only(open_dataset(cbis.root, spacing_mm=(0.05, 0.05)))
    assert (image.load().mask == region).all()


def test_the_official_test_set_stays_one(cbis, make_breast):
    region = np.ones(make_breast(1, 0.05)[1].shape, bool)
    cbis("P_00038", "LEFT_CC", make_breast(1, 0.05)[0], [region], table="test")
    cbis("P_00005", "LEFT_CC", make_breast(2, 0.05)[0], [region], table="train")
    splits = {image.patient: image.split for image in open_dataset(cbis.root).images}
    assert splits == {"P_00005": None, "P_00038": "test"}


def test_a_mask_of_another_size_and_a_missing_image_are_problems(cbis, make_breast):
    mammogram, _ = make_breast(1, 0.05)
    cbis("P_00005", "LEFT_CC", mammogram, [np.ones((40, 50), bool)])
    cbis("P_00006", "LEFT_CC", None, [])
    dataset = open_dataset(cbis.root, spacing_mm=(0.05, 0.05))
    assert "P_00006" in problem(dataset)
    assert "the image that the table names is not there; download it" in problem(dataset)
    (found,) = dataset.images[0].load().problems
    assert "the mask has 40 x 50 pixels, its image 800 x 640; exclude" in str(found)


def region_of(mammogram):
    region = np.zeros(mammogram.pixels.shape, bool)
    region[100:150, 60:90] = True
    return region


def test_each_abnormality_without_its_mask_is_a_problem(cbis, make_breast):
    mammogram, _ = make_breast(1, 0.05)
    cbis("P_00005", "RIGHT_CC", mammogram, [region_of(mammogram)] * 3)
    folder = cbis.root / "CBIS-DDSM" / "Calc-Training_P_00005_RIGHT_CC_2"
    next(folder.rglob("000001.dcm")).unlink()
    shutil.rmtree(cbis.root / "CBIS-DDSM" / "Calc-Training_P_00005_RIGHT_CC_3")
    image = only(open_dataset(cbis.root, spacing_mm=(0.05, 0.05)))
    assert [str(found) for found in image.load().problems] == [
        f"Calc-Training_P_00005_RIGHT_CC: the mask of abnormality {number} is not there; "
        "download it, or exclude the image"
        for number in (2, 3)
    ]


def test_a_view_read_again_has_the_same_regions(cbis, make_breast):
    mammogram, _ = make_breast(1, 0.05)
    cbis("P_00005", "RIGHT_CC", mammogram, [region_of(mammogram)] * 2)
    image = only(open_dataset(cbis.root, spacing_mm=(0.05, 0.05)))
    again = read_annotation("cbis-ddsm", image.name, image.files, (0.05, 0.05))
    assert (again.mask == image.load().mask).all()
    assert again.problems == ()


@pytest.mark.parametrize("written", [lambda path: path.replace("/", "\\"), lambda path: "/" + path])
def test_paths_that_windows_or_an_archive_wrote_are_found(cbis, make_breast, written):
    mammogram, _ = make_breast(1, 0.05)
    cbis("P_00005", "RIGHT_CC", mammogram, [region_of(mammogram)])
    edit_table(cbis, lambda text: text.replace("Calc-Tr", written("Calc-Tr")))
    edit_table(cbis, lambda text: text.replace("/", written("/")[-1]))
    image = only(open_dataset(cbis.root, spacing_mm=(0.05, 0.05)))
    assert image.load().mask.sum() == 50 * 30


@pytest.mark.parametrize("named", ["000000.dcm", "..\\..\\000000.dcm", "/"])
def test_an_image_that_is_nowhere_is_not_searched_for_outside_the_data_set(cbis, named):
    cbis("P_00005", "RIGHT_CC", None, [])
    edit_table(cbis, lambda text: re.sub(r"Calc-Training\S+?2/000000.dcm", lambda _: named, text))
    assert re.search("is not there; download it|no 'image file path'", problem(open_table(cbis)))


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (
            lambda text: text + "P_00009\n",
            "row 2 has no 'left or right breast'; download the table",
        ),
        (
            lambda text: re.sub(r"Calc-Training\S+?2/000000.dcm", "", text),
            "row 1 has no 'image file",
        ),
        (lambda text: text.replace("PLEO", "\xe9"), "cannot be read as a table in UTF-8; download"),
    ],
)
def test_a_damaged_table_is_a_problem(cbis, make_breast, edit, says):
    mammogram, _ = make_breast(1, 0.05)
    cbis("P_00005", "RIGHT_CC", mammogram, [region_of(mammogram)])
    edit_table(cbis, edit, "latin-1")
    found = problem(open_table(cbis))
    assert found.startswith(f"calc_case_description_train_set.csv: {says}")


def edit_table(cbis, edit, encoding="utf-8"):
    (table,) = cbis.root.glob("*.csv")
    table.write_text(edit(table.read_text()), encoding=encoding)


def open_table(cbis):
    return open_dataset(cbis.root, spacing_mm=(0.05, 0.05))
