"""INbreast: DICOM images in AllDICOMs/, OsiriX annotations as property lists in AllXML/.

Moreira et al., INbreast: toward a full-field digital mammographic database, Acad Radiol
2012;19(2):236-248. Image files are called
`<image>_<patient>_MG_<L|R>_<CC|ML...>_ANON.dcm`, annotations `<image>.xml`; normal images
have none. Points are (x, y), columns first, counted from 0.
"""

import csv
import plistlib
import xml.parsers.expat
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from scipy.ndimage import binary_dilation, label
from skimage.draw import polygon, polygon_perimeter

from ...errors import InputError
from .annotated import AnnotatedImage, Annotation, Dataset, Problem
from .own_spacing import read_with_own_spacing

IMAGES, ANNOTATIONS, TABLE = "AllDICOMs", "AllXML", "INbreast.csv"
MC_NAMES = frozenset({"calcification", "calcifications"})
CLUSTER_NAMES = frozenset({"cluster", "clusters"})
# As published, slips included. A region of any other name may be a calcification: some points
# are called "Point 1" or nothing at all.
TISSUE_NAMES = frozenset(
    {
        *("mass", "distortion", "asymmetry", "assymetry"),
        *("spiculated region", "espiculated region"),
    }
)
# A calcification marked by a point alone has no outline: one pixel of it is known, and a disc
# of the median MC's diameter (0.24 mm) around it may or may not belong to it.
POINT_RADIUS_MM = 0.2
_IN_NAME = ("image", "patient", "modality", "laterality", "view")


@dataclass(frozen=True)
class Roi:
    """name: in small letters. points_rc: (n, 2) float, (row, col)."""

    name: str
    points_rc: np.ndarray


def recognise(root: Path) -> bool:
    """Whether a folder is laid out like INbreast."""
    return (root / IMAGES).is_dir() and (root / ANNOTATIONS).is_dir()


def read_dataset(root: Path, spacing_mm: tuple[float, float] | None) -> Dataset:
    """Every image of AllDICOMs, with its annotation where there is one.

    Raises InputError when the two folders are not there.
    """
    if not recognise(root):
        raise InputError(f"{root}: holds no {IMAGES} and {ANNOTATIONS}; give INbreast's own folder")
    annotations = {path.stem: path for path in _files(root / ANNOTATIONS, "*.xml")}
    said, problems = _table(root / TABLE)
    images, seen = [], set()
    for path in _files(root / IMAGES, "*.dcm"):
        parts = dict(zip(_IN_NAME, path.stem.split("_"), strict=False))
        if len(parts) < len(_IN_NAME):
            what = "not called <image>_<patient>_MG_<side>_<view>_ANON.dcm"
            problems.append(Problem(path.stem, path.name, what, "restore its name"))
            continue
        name = parts["image"]
        seen.add(name)
        xml = annotations.get(name)
        files = (path,) if xml is None else (path, xml)
        image = AnnotatedImage(
            name=name,
            patient=parts["patient"],
            source="INbreast",
            files=files,
            load=partial(load, name, files, spacing_mm),
            kind="digital",
            positive=said.get(name),
        )
        images.append(image)
    for name in sorted(set(annotations) - seen):
        what = f"an annotation without its image in {IMAGES}"
        problems.append(Problem(name, annotations[name].name, what, "add the image"))
    return Dataset(root, "inbreast", tuple(images), tuple(problems), spacing_mm)


def load(name: str, files: tuple[Path, ...], spacing_mm) -> Annotation:
    """Read an image and draw its outlines.

    A region of an unknown name is uncertain, and so are a point's surroundings and a cluster
    without any single MC. Raises InputError when image or annotation is unreadable.
    """
    mammogram = read_with_own_spacing(files[0], spacing_mm)
    shape = mammogram.pixels.shape
    rois = read_rois(files[1]) if len(files) > 1 else ()
    mask, points, clusters, unknown = (np.zeros(shape, bool) for _ in range(4))
    problems = []
    for number, roi in enumerate(rois, 1):
        if roi.name in TISSUE_NAMES:
            continue
        if not _is_inside(roi.points_rc, shape):
            what = f"outline {number} ({roi.name or 'unnamed'}) reaches outside the image"
            remedy = "check that annotation and image belong together, or exclude the image"
            problems.append(Problem(name, files[1].name, what, remedy))
            continue
        if roi.name in CLUSTER_NAMES:
            clusters[_filled(roi.points_rc, shape)] = True
            continue
        dots, areas = (points, mask) if roi.name in MC_NAMES else (unknown, unknown)
        if len(roi.points_rc) < 3:
            dots[tuple(np.round(roi.points_rc).astype(int).T)] = True
        else:
            areas[_filled(roi.points_rc, shape)] = True
    uncertain = _discs(points | unknown, mammogram.spacing_mm)
    uncertain |= _unresolved(clusters, mask | points)
    mask |= points
    return Annotation(mammogram, mask, uncertain & ~mask, tuple(problems))


def read_rois(path: Path) -> tuple[Roi, ...]:
    """The regions of an OsiriX property list, of its first image.

    One that cannot be read is left out, unless its name says that it holds calcifications.
    Raises InputError when the list, or such a region, is damaged.
    """
    try:
        with path.open("rb") as file:
            described = plistlib.load(file, fmt=plistlib.FMT_XML)["Images"][0]["ROIs"]
        rois = [_roi(one) for one in described]
    except (OSError, ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
        raise _damaged(path) from error
    except xml.parsers.expat.ExpatError as error:
        raise _damaged(path) from error
    return tuple(roi for roi in rois if roi is not None)


def _roi(described: dict) -> Roi | None:
    name = str(described.get("Name", "")).strip().lower()
    try:
        return Roi(name, _points(described))
    except (ValueError, KeyError, TypeError, AttributeError):
        if name in MC_NAMES | CLUSTER_NAMES:
            raise
        return None


def _files(folder: Path, pattern: str) -> list[Path]:
    """In order, without what macOS writes beside each file."""
    return [path for path in sorted(folder.glob(pattern)) if not path.name.startswith(".")]


def _damaged(path: Path) -> InputError:
    return InputError(f"{path.name}: not an OsiriX property list of regions; copy it again")


def _points(roi: dict) -> np.ndarray:
    pairs = [point.strip("() ").split(",")[:2] for point in roi["Point_px"]]
    x_y = np.array([[float(x), float(y)] for x, y in pairs], float).reshape(-1, 2)
    if len(x_y) == 0 or not np.isfinite(x_y).all():
        raise ValueError("a region without points")
    return x_y[:, ::-1]


def _is_inside(points_rc: np.ndarray, shape: tuple[int, int]) -> bool:
    return bool((points_rc >= -0.5).all() and (points_rc < np.array(shape) - 0.5).all())


def _filled(points_rc: np.ndarray, shape: tuple[int, int]):
    """Indices of the pixels inside an outline and on it; thin ones would have no inside."""
    rows, cols = points_rc.T
    inner = polygon(rows, cols, shape)
    whole = np.clip(np.round(points_rc).astype(int), 0, np.array(shape) - 1)
    rim = polygon_perimeter(whole[:, 0], whole[:, 1], shape, clip=True)
    # The outline runs through the outermost pixels' centres, half of which are outside it.
    return tuple(np.concatenate([a, b]) for a, b in zip(inner, rim, strict=True))


def _discs(points: np.ndarray, spacing_mm: tuple[float, float]) -> np.ndarray:
    if not points.any():
        return points
    reach = [int(np.ceil(POINT_RADIUS_MM / mm)) for mm in spacing_mm]
    rows, cols = np.ogrid[-reach[0] : reach[0] + 1, -reach[1] : reach[1] + 1]
    disc = (rows * spacing_mm[0]) ** 2 + (cols * spacing_mm[1]) ** 2 <= POINT_RADIUS_MM**2
    return binary_dilation(points, disc)


def _unresolved(clusters: np.ndarray, mcs: np.ndarray) -> np.ndarray:
    """Outlined clusters in which no single MC is marked: MCs lie there, nobody knows where."""
    regions, _ = label(clusters)
    resolved = np.unique(regions[mcs])
    return clusters & ~np.isin(regions, resolved[resolved > 0])


def _table(path: Path) -> tuple[dict[str, bool], list[Problem]]:
    """Image -> whether the table's column Micros says that it holds calcifications."""
    if not path.is_file():
        return {}, []
    try:
        with path.open(newline="", encoding="utf-8-sig", errors="replace") as file:
            rows = list(csv.DictReader(file, delimiter=";"))
    except (OSError, csv.Error):
        what = "cannot be read as a table"
        return {}, [Problem(TABLE, path.name, what, "restore the published table")]
    rows = [{(key or "").strip(): value for key, value in row.items()} for row in rows]
    if rows and "File Name" not in rows[0]:
        what = "no column 'File Name' (columns are separated by semicolons)"
        return {}, [Problem(TABLE, path.name, what, "restore the published table")]
    said = {
        row["File Name"].strip(): bool(row["Micros"].strip())
        for row in rows
        if row["File Name"] and row.get("Micros")
    }
    return said, []
