"""Importers, each on small files written in the published layout."""

import json
import plistlib
from dataclasses import replace

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from MicrocalcSegmentationLib.errors import InputError
from MicrocalcSegmentationLib.simulation.cases import CaseOptions, simulate_case, write_case
from MicrocalcSegmentationLib.simulation.dicom_mg import Encoding, write_dicom_mg
from MicrocalcSegmentationLib.training.datasets import open_dataset
from MicrocalcSegmentationLib.training.datasets.annotated import CLUSTER_LEVEL
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid


def write_image(path, mammogram, seed=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_dicom_mg(path, mammogram, Encoding(grey_range=(0, 4095)), seed)
    return path


def write_nrrd(path, values, spacing_mm=0.1, origin=(0.0, 0.0, 0.0), tags=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(values[None])
    image.SetSpacing((spacing_mm, spacing_mm, 1.0))
    image.SetOrigin(origin)
    for key, value in (tags or {}).items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path))


def only(dataset):
    assert dataset.problems == ()
    (image,) = dataset.images
    return image


def problem(dataset):
    (found,) = dataset.problems
    return str(found)


class TestFolder:
    @pytest.mark.parametrize("ending", ["nrrd", "png", "mha", "tif"])
    def test_a_mask_of_any_type_beside_an_image(self, tmp_path, make_breast, ending):
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

    def test_what_simulate_writes_is_known_as_simulated(self, tmp_path):
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
    def test_pixels_to_ignore_are_uncertain_where_they_are_no_mc(
        self, tmp_path, make_breast, ending
    ):
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

    def test_a_cropped_and_shifted_segmentation_lies_where_its_header_says(
        self, tmp_path, make_breast
    ):
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

    def test_what_segment_writes_comes_back_as_training_data(self, tmp_path, make_findings):
        from MicrocalcSegmentationLib.export.nrrd import write_segmentation

        findings = make_findings()
        write_nrrd(tmp_path / "film.nrrd", findings.mammogram.pixels, 0.1)
        (tmp_path / "results").mkdir()
        write_segmentation(findings, tmp_path / "results" / "film.seg.nrrd")
        assert (only(open_dataset(tmp_path)).load().mask == (findings.labels > 0)).all()

    def test_a_dicom_segmentation_goes_with_the_image_it_refers_to(self, tmp_path, make_breast):
        first, second = make_breast(1), make_breast(2)
        one = write_image(tmp_path / "one.dcm", first[0], seed=1)
        two = write_image(tmp_path / "two.dcm", second[0], seed=2)
        breast = np.ones(first[1].shape, bool)
        write_dicom_seg(tmp_path / "from_pacs" / "b", {"MC": second[1], "Breast": breast}, two)
        write_dicom_seg(tmp_path / "from_pacs" / "a", {"MC": first[1]}, one)
        dataset = open_dataset(tmp_path)
        assert dataset.problems == ()
        for image, (_, mask) in zip(dataset.images, (first, second), strict=True):
            assert (image.load().mask == mask).all()

    def test_patient_kind_and_split_come_from_table_then_json_then_header(
        self, tmp_path, make_breast
    ):
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

    def test_what_does_not_fit_is_listed_with_file_and_remedy(self, tmp_path, make_breast):
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
    def test_a_mask_of_another_size_or_spacing_is_refused(self, tmp_path, make_breast, edit, says):
        mammogram, mask = make_breast(1)
        write_image(tmp_path / "a.dcm", mammogram)
        values, spacing = edit(mask.astype(np.uint8))
        write_nrrd(tmp_path / "a_mask.nrrd", values, spacing)
        with pytest.raises(InputError, match=rf"a_mask.nrrd: .*{says}"):
            only(open_dataset(tmp_path)).load()

    def test_a_damaged_table_or_mask_is_named(self, tmp_path, make_breast):
        mammogram, _ = make_breast(1)
        write_image(tmp_path / "a.dcm", mammogram)
        (tmp_path / "a_mask.nrrd").write_bytes(b"NRRD0004\nnonsense")
        with pytest.raises(InputError, match=r"a_mask.nrrd: cannot be read as a mask"):
            only(open_dataset(tmp_path)).load()
        (tmp_path / "cases.csv").write_text("picture\na.dcm\n")
        assert problem(open_dataset(tmp_path)).startswith("cases.csv: not a table with a column")

    def test_an_empty_or_missing_folder_is_refused(self, tmp_path):
        with pytest.raises(InputError, match="no annotated image in layout 'folder'"):
            open_dataset(tmp_path)
        with pytest.raises(InputError, match="no such folder"):
            open_dataset(tmp_path / "missing")
        with pytest.raises(InputError, match="layout 'dmid' is unknown"):
            open_dataset(tmp_path, "dmid")


class TestINbreast:
    def test_contours_points_and_clusters_are_drawn(self, inbreast, make_breast):
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

    def test_an_image_without_annotation_holds_no_mc(self, inbreast, make_breast):
        inbreast("22678622", make_breast(1)[0], None)
        annotation = only(open_dataset(inbreast.root)).load()
        assert not annotation.mask.any()

    def test_a_contour_outside_the_image_is_a_problem(self, inbreast, make_breast):
        mammogram, _ = make_breast(1)
        cols = mammogram.pixels.shape[1]
        inbreast("1", mammogram, [("Calcification", [(5, 5), (5, cols), (9, 9)])])
        (found,) = only(open_dataset(inbreast.root)).load().problems
        assert str(found).startswith("1.xml: outline 1 (calcification) reaches outside the image;")

    def test_what_is_damaged_or_lost_is_named(self, inbreast, make_breast):
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

    def test_the_published_table_says_which_images_are_positive(self, inbreast, make_breast):
        inbreast("1", make_breast(1)[0], None)
        inbreast("2", make_breast(2)[0], None)
        header = "Patient ID;Patient age;Laterality;View;File Name;ACR;Bi-Rads;Mass ;Micros\n"
        rows = "removed;removed;R;CC;1;4;5;;X\nremoved;removed;R;CC;2;4;1;;\n"
        (inbreast.root / "INbreast.csv").write_text(header + rows)
        first, second = open_dataset(inbreast.root).images
        assert (first.positive, second.positive) == (True, None)


class TestCbisDdsm:
    def test_a_view_is_read_with_all_its_regions(self, cbis, make_breast):
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

    def test_crop_and_mask_may_have_changed_places(self, cbis, make_breast):
        mammogram, _ = make_breast(1, 0.05)
        region = np.zeros(mammogram.pixels.shape, bool)
        region[100:150, 60:90] = True
        cbis("P_00005", "LEFT_MLO", mammogram, [region], swapped=True)
        image = only(open_dataset(cbis.root, spacing_mm=(0.05, 0.05)))
        assert (image.load().mask == region).all()

    def test_tcias_newer_folder_names_are_found_as_well(self, cbis, make_breast):
        mammogram, _ = make_breast(1, 0.05)
        region = np.zeros(mammogram.pixels.shape, bool)
        region[100:150, 60:90] = True
        cbis("P_00005", "LEFT_MLO", mammogram, [region], renamed=True)
        image = only(open_dataset(cbis.root, spacing_mm=(0.05, 0.05)))
        assert (image.load().mask == region).all()

    def test_the_official_test_set_stays_one(self, cbis, make_breast):
        region = np.ones(make_breast(1, 0.05)[1].shape, bool)
        cbis("P_00038", "LEFT_CC", make_breast(1, 0.05)[0], [region], table="test")
        cbis("P_00005", "LEFT_CC", make_breast(2, 0.05)[0], [region], table="train")
        splits = {image.patient: image.split for image in open_dataset(cbis.root).images}
        assert splits == {"P_00005": None, "P_00038": "test"}

    def test_a_mask_of_another_size_and_a_missing_image_are_problems(self, cbis, make_breast):
        mammogram, _ = make_breast(1, 0.05)
        cbis("P_00005", "LEFT_CC", mammogram, [np.ones((40, 50), bool)])
        cbis("P_00006", "LEFT_CC", None, [])
        dataset = open_dataset(cbis.root, spacing_mm=(0.05, 0.05))
        assert "P_00006" in problem(dataset)
        assert "the image that the table names is not there; download it" in problem(dataset)
        (found,) = dataset.images[0].load().problems
        assert "the mask has 40 x 50 pixels, its image 800 x 640; exclude" in str(found)


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


def drop_spacing(path):
    dataset = pydicom.dcmread(path)
    del dataset.ImagerPixelSpacing
    dataset.save_as(path)


def write_secondary(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = basic_dataset("1.2.840.10008.5.1.4.1.1.7", values.shape)
    bits = values.itemsize * 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    data = values.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset.save_as(path, enforce_file_format=True)


def basic_dataset(sop_class, shape):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.Modality, dataset.PatientID = "MG", "x"
    dataset.Rows, dataset.Columns = shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    return dataset


def write_dicom_seg(path, segments, source):
    """A binary segmentation (DICOM PS3.3 A.51), a frame per segment, without a file ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = next(iter(segments.values())).shape
    dataset = basic_dataset("1.2.840.10008.5.1.4.1.1.66.4", shape)
    dataset.Modality, dataset.SegmentationType = "SEG", "BINARY"
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit, dataset.NumberOfFrames = 0, len(segments)
    reference = Dataset()
    reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    reference.ReferencedSOPInstanceUID = pydicom.dcmread(source).SOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID = generate_uid()
    series.ReferencedInstanceSequence = Sequence([reference])
    dataset.ReferencedSeriesSequence = Sequence([series])
    dataset.SegmentSequence, dataset.PerFrameFunctionalGroupsSequence = Sequence(), Sequence()
    for number, name in enumerate(segments, 1):
        segment, frame, identification = Dataset(), Dataset(), Dataset()
        segment.SegmentNumber, segment.SegmentLabel = number, name
        dataset.SegmentSequence.append(segment)
        identification.ReferencedSegmentNumber = number
        frame.SegmentIdentificationSequence = Sequence([identification])
        dataset.PerFrameFunctionalGroupsSequence.append(frame)
    bits = np.concatenate([mask.ravel() for mask in segments.values()])
    packed = np.packbits(bits, bitorder="little").tobytes()
    dataset.PixelData = packed + b"\0" * (len(packed) % 2)
    dataset.save_as(path, enforce_file_format=True)


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
            "Name": name,
            "NumberOfPoints": len(points),
            "Point_mm": ["(0.0, 0.0, 0.0)"] * len(points),
            "Point_px": [f"({float(col)}, {float(row)})" for row, col in points],
            "Type": 15 if len(points) > 1 else 19,
        }
        for number, (name, points) in enumerate(rois)
    ]
    image = {"ImageIndex": 0, "NumberOfROIs": len(rois), "ROIs": described}
    with path.open("wb") as file:
        plistlib.dump({"Images": [image]}, file)
