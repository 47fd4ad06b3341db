"""Small findings whose every number is known, for the rooms that write or show them."""

import json
import logging
import os
from pathlib import Path

import hypothesis
import numpy as np
import pytest
import SimpleITK as sitk
from MicrocalcSegmentationLib.findings import Calcification, Cluster, Findings
from MicrocalcSegmentationLib.geometry import Geometry
from MicrocalcSegmentationLib.mammogram import Mammogram, Source
from MicrocalcSegmentationLib.settings import Settings

hypothesis.settings.register_profile("seeded", derandomize=True)  # as on CI
hypothesis.settings.load_profile("seeded")

SHAPE = (120, 90)
# Centres (row, col) of MCs of 3 x 3 pixels; the sets are neither symmetric nor square, so
# that a flip, a transposition or a shift moves every one of them off its place.
CLUSTERED = {
    1: [(20, 15), (22, 24), (30, 18), (33, 27), (26, 31), (38, 21)],
    2: [(80, 60), (84, 68), (90, 63), (95, 71), (88, 77), (99, 66), (92, 55)],
}
ISOLATED = [(55, 10), (70, 84)]


DRAWING, TENSORFLOW = {"scene", "widget"}, {"networks"}


def pytest_configure():
    if folder := os.environ.get("MICROCALC_SCREENSHOTS"):
        Path(folder).mkdir(parents=True, exist_ok=True)


def pytest_collection_modifyitems(items):
    """Keep VTK's drawing and TensorFlow in processes of their own.

    Mesa and TensorFlow each bring an LLVM; drawing after both are loaded ends the process.
    """
    here = Path(__file__).parent
    folders = {item.path.relative_to(here).parts[0] for item in items}
    if folders & DRAWING and folders & TENSORFLOW:
        raise pytest.UsageError(
            "run Testing/scene and Testing/widget by themselves, as README's command does: "
            "VTK's drawing and TensorFlow do not bear one another in one process"
        )


@pytest.fixture(autouse=True)
def _logging_as_before():
    """The command sets the process's logging; the next test must not notice."""
    root = logging.getLogger()
    names = [None, "pydicom", "h5py", "PIL", "tensorflow", "MicrocalcSegmentationLib"]
    levels = {name: logging.getLogger(name).level for name in names}
    handlers = list(root.handlers)
    yield
    root.handlers[:] = handlers
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


@pytest.fixture(scope="session")
def make_findings():
    """A function (clusters=, isolated=, geometry=, shape=, **of the Mammogram) -> Findings."""
    return build_findings


@pytest.fixture(scope="session")
def make_breast():
    """A function (seed, spacing_mm=, mcs=) -> (Mammogram, mask) of 40 x 32 mm."""
    return build_breast


@pytest.fixture(scope="session")
def write_breast():
    """A function (folder, name, seed, mask=, mcs=): image, mask and description, as simulated."""

    def write(folder, name, seed, mask=None, **breast):
        mammogram, marked = build_breast(seed, **breast)
        folder.mkdir(exist_ok=True)
        values = {name: mammogram.pixels.astype(np.uint16)}
        values[f"{name}_mask"] = (marked if mask is None else mask).astype(np.uint8)
        for stem, pixels in values.items():
            image = sitk.GetImageFromArray(pixels[None])
            image.SetSpacing((*mammogram.spacing_mm[::-1], 1.0))
            sitk.WriteImage(image, str(folder / f"{stem}.nrrd"), useCompression=True)
        said = {"simulated": True, "options": {"kind": ("digital", "film")[seed % 2]}}
        (folder / f"{name}.json").write_text(json.dumps(said))

    return write


@pytest.fixture(scope="session")
def sample_database(tmp_path_factory, write_breast):
    """A sample database of six small images of six patients, digital and film in turns."""
    from MicrocalcSegmentationLib.progress import Silent
    from MicrocalcSegmentationLib.training.datasets import open_dataset
    from MicrocalcSegmentationLib.training.samples.build import BuildOptions, build

    folder = tmp_path_factory.mktemp("samples")
    for seed in range(6):
        write_breast(folder / "cases", f"case{seed}", seed)
    options = BuildOptions(patch_sides=(29, 49), workers=1)
    return build([open_dataset(folder / "cases")], folder / "s.sqlite", options, Silent())


def build_breast(seed, spacing_mm=0.1, mcs=8, patient="P1"):
    """Half an ellipse of textured tissue on air, with bright squares of 3 x 3 pixels as MCs."""
    rng = np.random.default_rng(seed)
    rows, cols = round(40 / spacing_mm), round(32 / spacing_mm)
    down, right = np.mgrid[-1 : 1 : rows * 1j, 0 : 1 : cols * 1j]
    inside = (down / 0.8) ** 2 + (right / 0.65) ** 2 < 1
    coarse = rng.normal(0, 250, (rows // 16 + 2, cols // 16 + 2)).repeat(16, 0).repeat(16, 1)
    tissue = 1800 + coarse[:rows, :cols] + rng.normal(0, 40, inside.shape)
    pixels = np.where(inside, tissue, 40 + rng.normal(0, 2, inside.shape))
    mask = np.zeros(inside.shape, bool)
    places = np.argwhere((down / 0.6) ** 2 + ((right - 0.1) / 0.4) ** 2 < 1)
    for row, col in places[rng.integers(len(places), size=mcs)]:
        mask[row : row + 3, col : col + 3] = True
    pixels = np.clip(np.round(pixels + 700 * mask), 0, 4095).astype(np.float32)
    source = Source(f"breast {seed}", dicom={"PatientID": patient})
    mammogram = Mammogram(
        pixels, Geometry((spacing_mm, spacing_mm)), source, view="CC", laterality="L"
    )
    return mammogram, mask


def build_findings(
    clusters=CLUSTERED, isolated=ISOLATED, geometry=None, shape=SHAPE, **mammogram_fields
):
    geometry = geometry or Geometry((0.1, 0.1))
    fields = {"source": Source("film 1.dcm", "/somewhere/private/film 1.dcm"), "view": "MLO"}
    fields |= {"laterality": "L"} | mammogram_fields
    rng = np.random.default_rng(5)
    pixels = rng.normal(100, 2, shape).astype(np.float32)
    labels = np.zeros(shape, np.int32)
    mammogram = Mammogram(pixels=pixels, geometry=geometry, **fields)
    centers = [(number, at) for number, points in clusters.items() for at in points]
    centers += [(0, at) for at in isolated]
    calcifications = []
    for number, (cluster, (row, col)) in enumerate(centers, start=1):
        labels[row - 1 : row + 2, col - 1 : col + 2] = number
        pixels[row - 1 : row + 2, col - 1 : col + 2] += 40
        calcifications.append(_calcification(number, cluster, row, col, mammogram))
    breast = np.zeros(shape, bool)
    breast[5:-5, : shape[1] - 3] = True
    return Findings(
        mammogram=mammogram,
        probability=(labels > 0).astype(np.float32),
        labels=labels,
        breast=breast,
        candidates=labels > 0,
        calcifications=tuple(calcifications),
        clusters=tuple(_cluster(n, points, mammogram) for n, points in clusters.items()),
        threshold=0.9,
        detector_threshold=0.5,
        model_name="test model",
        model_version="1.2",
        arteries_model="vessels 3",
        settings=Settings(),
    )


def _calcification(number, cluster, row, col, mammogram):
    area_mm2 = 9 * mammogram.pixel_area_mm2
    return Calcification(
        number=number,
        cluster=cluster,
        row=float(row),
        col=float(col),
        area_mm2=area_mm2,
        diameter_mm=2 * np.sqrt(area_mm2 / np.pi),
        mean_contrast=3.25,
        peak_contrast=5.5,
        probability=0.975,
    )


def _cluster(number, points, mammogram):
    points = np.array(points)
    (row_min, col_min), (row_max, col_max) = points.min(0) - 1, points.max(0) + 1
    outline = np.array(
        [(row_min, col_min), (row_min, col_max), (row_max, col_max), (row_max, col_min)]
    )
    row_mm, col_mm = mammogram.spacing_mm
    height_mm, width_mm = (row_max - row_min) * row_mm, (col_max - col_min) * col_mm
    return Cluster(
        number=number,
        count=len(points),
        row=float(points[:, 0].mean()),
        col=float(points[:, 1].mean()),
        area_mm2=float(height_mm * width_mm),
        density_per_cm2=float(100 * len(points) / (height_mm * width_mm)),
        extent_mm=float(np.hypot(height_mm, width_mm)),
        row_min=int(row_min),
        row_max=int(row_max),
        col_min=int(col_min),
        col_max=int(col_max),
        outline_rc=outline.astype(float),
    )
