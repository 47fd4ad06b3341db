"""INbreast, in small files of the published layout."""

import plistlib

import numpy as np
import pytest
from dataset_files import only, write_image
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.training.datasets import open_dataset
from MicrocalcSegmentationLib.training.samples.preparing import examine


@pytest.fixture
def inbreast(tmp_path):
    """A function that adds an image to a folder laid out like INbreast; `root` is the folder."""
    for name in ("AllDICOMs", "AllXML"):
        (tmp_path / name).mkdir()

    def add(name, mammogram, rois, patient="6c613a14b80a8591"):
        path = tmp_path / "AllDICOMs" / f"{name}_{patient}_MG_R_CC_ANON.dcm"
        write_image(path, mammogram, seed=int(name))
        if rois is not None:
            write_plist(tmp_path / "AllXML" / f"{name}.xml", rois)

    add.root = tmp_path
    return add


def write_plist(path, rois):
    described = [
        {
            "Area": 0.1,
            "Center": "(0.0, 0.0, 0.0)",
            "IndexInImage": number,
            "NumberOfPoints": len(points),
            "Point_mm": ["(0.0, 0.0, 0.0)"] * len(points),
            "Point_px": [f"({float(col)}, {float(row)})" for row, col in points],
            "Type": 15 if len(points) > 1 else 19,
        }
        | ({} if name is None else {"Name": name})
        for number, (name, points) in enumerate(rois)
    ]
    image = {"ImageIndex": 0, "NumberOfROIs": len(rois), "ROIs": described}
    with path.open("wb") as file:
        plistlib.dump({"Images": [image]}, file)


def test_contours_points_and_clusters_are_drawn(inbreast, make_breast):
    mammogram, _ = make_breast(1)
    contour = [(50, 60), (50, 64), (54, 64), (54, 60)]  # row, col
    rois = [
        ("Calcification", contour),
        ("Calcification", [(100.4, 80.3)]),
        ("Mass", [(10, 10), (10, 90), (90, 50)]),
        ("Cluster", [(40, 50), (40, 75), (70, 75), (70, 50)]),
        ("Cluster", [(200, 50), (200, 75), (220, 75), (220, 50)]),
    ]
    inbreast("20586908", mammogram, rois, patient="6c613a14b80a8591")
    image = only(open_dataset(inbreast.root))
    assert (image.name, image.patient, image.kind) == (
        "20586908",
        "6c613a14b80a8591",
        "digital",
    )
    annotation = image.load()
    drawn = np.zeros_like(annotation.mask)
    drawn[50:55, 60:65] = True  # the outline itself belongs to it
    drawn[100, 80] = True
    assert (annotation.mask == drawn).all()
    # Around a point, and in a cluster without any single MC, nothing is certain.
    assert annotation.uncertain[98:103, 78:83].sum() == 12  # of a disc of 13 pixels
    assert annotation.uncertain[205:215, 55:70].all()
    assert not annotation.uncertain[40:70, 50:75].any()


@pytest.mark.parametrize("name", ["Unnamed", "Point 1", "Point 3", "", None])
def test_a_region_of_an_unknown_name_is_neither_mc_nor_tissue(inbreast, make_breast, name):
    rois = [(name, [(100.4, 80.3)]), (name, [(50, 60), (50, 64), (54, 64), (54, 60)])]
    rois += [("Mass", [(200, 50), (200, 75), (220, 75)])]
    inbreast("1", make_breast(1)[0], rois)
    annotation = only(open_dataset(inbreast.root)).load()
    assert annotation.problems == ()
    assert not annotation.mask.any()
    assert annotation.uncertain[50:55, 60:65].all()
    assert annotation.uncertain[98:103, 78:83].sum() == 13
    assert not annotation.uncertain[190:].any()


def test_a_broken_region_counts_only_when_it_is_an_mc(inbreast, make_breast):
    square = [(50, 60), (50, 64), (54, 64), (54, 60)]
    inbreast("1", make_breast(1)[0], [("Mass", []), (None, []), ("Calcification", square)])
    assert only(open_dataset(inbreast.root)).load().mask.sum() == 25
    write_plist(inbreast.root / "AllXML" / "1.xml", [("Calcification", []), ("Mass", square)])
    with pytest.raises(InputError, match=r"1.xml: not an OsiriX property list"):
        only(open_dataset(inbreast.root)).load()


def test_a_positive_image_whose_cluster_alone_is_outlined_is_sound(inbreast, make_breast):
    cluster = ("Cluster", [(180, 50), (180, 75), (220, 75), (220, 50)])
    inbreast("1", make_breast(1, mcs=0)[0], [cluster])
    (inbreast.root / "INbreast.csv").write_text("File Name;Micros\n1;X\n")
    prepared, problems = examine(only(open_dataset(inbreast.root)))
    assert problems == ()
    assert prepared.mcs == 0


def test_what_macos_writes_beside_each_file_is_no_image(inbreast, make_breast):
    inbreast("1", make_breast(1)[0], None)
    (path,) = (inbreast.root / "AllDICOMs").iterdir()
    path.with_name(f"._{path.name}").write_bytes(b"\0\x05\x16\x07")
    (inbreast.root / "AllXML" / "._1.xml").write_bytes(b"\0\x05\x16\x07")
    assert only(open_dataset(inbreast.root)).name == "1"


def test_an_image_without_annotation_holds_no_mc(inbreast, make_breast):
    inbreast("22678622", make_breast(1)[0], None)
    annotation = only(open_dataset(inbreast.root)).load()
    assert not annotation.mask.any()


def test_a_contour_outside_the_image_is_a_problem(inbreast, make_breast):
    mammogram, _ = make_breast(1)
    cols = mammogram.pixels.shape[1]
    inbreast("1", mammogram, [("Calcification", [(5, 5), (5, cols), (9, 9)])])
    (found,) = only(open_dataset(inbreast.root)).load().problems
    assert str(found).startswith("1.xml: outline 1 (calcification) reaches outside the image;")


def test_what_is_damaged_or_lost_is_named(inbreast, make_breast):
    inbreast("1", make_breast(1)[0], [("Calcification", [(5, 5)])])
    xml = inbreast.root / "AllXML" / "1.xml"
    xml.write_text("<plist><dict><key>Images</key></dict></plist>")
    with pytest.raises(InputError, match=r"1.xml: not an OsiriX property list"):
        open_dataset(inbreast.root).images[0].load()
    xml.rename(xml.with_name("2.xml"))
    (inbreast.root / "AllDICOMs" / "film.dcm").write_bytes(b"x")
    sentences = [str(found) for found in open_dataset(inbreast.root).problems]
    assert sentences[0].startswith("film.dcm: not called <image>_<patient>_MG_<side>")
    assert sentences[1] == "2.xml: an annotation without its image in AllDICOMs; add the image"


def test_the_published_table_says_which_images_are_positive(inbreast, make_breast):
    inbreast("1", make_breast(1)[0], None)
    inbreast("2", make_breast(2)[0], None)
    header = "Patient ID;Patient age;Laterality;View;File Name;ACR;Bi-Rads;Mass ;Micros\n"
    rows = "removed;removed;R;CC;1;4;5;;X\nremoved;removed;R;CC;2;4;1;;\n"
    (inbreast.root / "INbreast.csv").write_text(header + rows)
    first, second = open_dataset(inbreast.root).images
    assert (first.positive, second.positive) == (True, None)
