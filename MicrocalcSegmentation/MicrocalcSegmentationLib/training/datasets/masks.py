"""Masks of microcalcifications from any file: images, Slicer's segmentations, DICOM SEG.

A plain mask has its image's own pixels. A `.seg.nrrd` may be cropped and lies where its
header says, so it is placed by position in space.
"""

from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk

from ...errors import InputError
from ...mammogram import Mammogram
from ...reading import first_bytes
from ...reading.dicom import is_dicom, parsed, warnings_logged
from ...reading.header import Header
from .placing import (
    grid,
    require_origin,
    require_place,
    require_shape,
    require_spacing,
    states_spacing,
)

SEGMENTATION_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"
SEGMENTATION_FILE = ".seg.nrrd"
_BREAST_CODE = "76752008"  # SNOMED CT, as Slicer's terminology and DICOM write it
_JPEG_MARK = b"\xff\xd8\xff"
_WITH_ALPHA = (2, 4)  # values per pixel
# Of neighbours that are both marked. Labels are flat, one each for touching MCs included; a
# picture, or a mask with soft edges, differs nearly everywhere.
_MOST_DIFFERING = 0.2


def read_mask(path: Path, mammogram: Mammogram) -> np.ndarray:
    """(rows, cols) bool, True on MCs, on the mammogram's own grid.

    Whatever is not 0 is marked: labels may have any values, and transparency counts for
    nothing. Every segment counts, except one that is called or coded as the breast; of a
    fractional one, what is at least half full.
    Raises InputError when the file cannot be read, is a picture and no mask, lies outside the
    image, or differs from it in size, spacing or place.
    """
    if path.name.lower().endswith(SEGMENTATION_FILE):
        return _slicer_mask(path, mammogram)
    with warnings_logged(path.name):
        if is_segmentation(dicom_header(path)):
            return _dicom_mask(path, mammogram)
    return _plain_mask(path, mammogram)


def dicom_header(path: Path) -> Header | None:
    """The header of a DICOM file; None for any other file.

    Raises InputError when it cannot be read, is cut short or damaged.
    """
    return parsed(path, stop_before_pixels=True)[0] if is_dicom(first_bytes(path)) else None


def is_segmentation(header: Header | None) -> bool:
    """Whether a header is a DICOM segmentation's."""
    return header is not None and header.texts("SOPClassUID") == (SEGMENTATION_CLASS,)


def referenced_images(header: Header) -> frozenset[str]:
    """SOP Instance UIDs that a DICOM segmentation says it was made on.

    Raises InputError when it is damaged.
    """
    try:
        found = [
            str(element.value)
            for element in header.dataset.iterall()
            if element.keyword == "ReferencedSOPInstanceUID" and element.value
        ]
    except Exception as error:  # pydicom raises whatever a damaged element makes it raise
        raise _unreadable_segmentation(header.name) from error
    return frozenset(found)


def _plain_mask(path: Path, mammogram: Mammogram) -> np.ndarray:
    if first_bytes(path).startswith(_JPEG_MARK):
        raise InputError(
            f"{path.name}: JPEG changes the pixels around what is marked; save the mask as PNG or "
            "NRRD where it was drawn"
        )
    image = _read(path)
    values = _colours(path, image)
    if values.ndim == 4 and values.shape[0] == 1:
        values = values[0]
    require_shape(path, values.shape[:-1], mammogram)
    require_place(path, image, mammogram)
    marked = values.any(axis=-1)
    if _is_picture(values, marked):
        raise InputError(
            f"{path.name}: a picture of many grey values or colours, no mask; give one that is 0 "
            "off the MCs and 1 on them, without soft edges"
        )
    return marked


def _colours(path: Path, image: sitk.Image) -> np.ndarray:
    """(..., n) values of a mask without its transparency."""
    values = sitk.GetArrayFromImage(image)
    channels = image.GetNumberOfComponentsPerPixel()
    if channels == 1:
        return values[..., None]
    if channels not in _WITH_ALPHA:
        return values
    colours, alpha = values[..., :-1], values[..., -1]
    if np.ptp(alpha) and not colours.any():
        raise InputError(
            f"{path.name}: marked by transparency alone; save the mask without it, white on black"
        )
    return colours


def _is_picture(values: np.ndarray, marked: np.ndarray) -> bool:
    """Whether more of the marked neighbours differ than labels do. values: (rows, cols, n)."""
    pairs = differing = 0
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        both = marked[one] & marked[other]
        pairs += int(both.sum())
        differing += int((values[one][both] != values[other][both]).any(axis=-1).sum())
    return differing > _MOST_DIFFERING * pairs


def _read(path: Path) -> sitk.Image:
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(f"{path.name}: cannot be read as a mask; write it again") from error


def _slicer_mask(path: Path, mammogram: Mammogram) -> np.ndarray:
    image = _read(path)
    if image.GetDimension() > 3:
        raise InputError(f"{path.name}: a series of segmentations; save one of a single image")
    require_spacing(path, image.GetSpacing()[1::-1], mammogram)
    try:
        dropped = _breast_labels(image)
    except ValueError as error:
        what = "the numbers of its segments cannot be read"
        raise InputError(f"{path.name}: {what}; save the segmentation again") from error
    values = sitk.GetArrayFromImage(image)
    if image.GetDimension() == 2:
        values, image = values[None], sitk.JoinSeries(image)
    layers = values if values.ndim == 4 else values[..., None]
    marked = np.zeros(layers.shape[:3], np.uint8)
    for layer in range(layers.shape[-1]):
        inside = layers[..., layer] != 0
        inside &= ~np.isin(layers[..., layer], [v for at, v in dropped if at == layer])
        marked |= inside
    return _placed(path, marked, image, mammogram)


def _placed(path: Path, marked: np.ndarray, image: sitk.Image, mammogram: Mammogram) -> np.ndarray:
    """(rows, cols) bool; marked: (slices, rows, cols), where its file's image lies."""
    flat = sitk.GetImageFromArray(marked)
    for copy in ("Spacing", "Origin", "Direction"):
        getattr(flat, f"Set{copy}")(getattr(image, f"Get{copy}")())
    own = grid(mammogram, states_spacing(image.GetSpacing()[1::-1]))
    placed = sitk.Resample(flat, own, sitk.Transform(), sitk.sitkNearestNeighbor)
    mask = sitk.GetArrayFromImage(placed)[0] != 0
    lost = int(marked.sum()) - int(mask.sum())
    if lost > 0:
        raise InputError(
            f"{path.name}: {lost} of its {int(marked.sum())} marked pixels lie outside the image; "
            "segment the image itself, not a copy that was moved or turned"
        )
    return mask


def _breast_labels(image: sitk.Image) -> list[tuple[int, int]]:
    """(layer, value) of segments that stand for the whole breast.

    Raises ValueError where these are no numbers.
    """
    said = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    found = []
    for key, name in said.items():
        number = key.removeprefix("Segment").removesuffix("_Name")
        if not number.isdigit() or key != f"Segment{number}_Name":
            continue
        coded = _type_code(said.get(f"Segment{number}_Tags", ""))
        if name.strip().lower() == "breast" or coded == _BREAST_CODE:
            layer = int(said.get(f"Segment{number}_Layer", 0))
            found.append((layer, int(said.get(f"Segment{number}_LabelValue", 1))))
    return found


def _type_code(tags: str) -> str:
    """The code of a segment's type; the region it lies in, often the breast, is another part."""
    entry = tags.partition("TerminologyEntry:")[2].partition("|")[0].split("~")
    parts = entry[2].split("^") if len(entry) > 2 else []
    return parts[1] if len(parts) > 1 else ""


def _dicom_mask(path: Path, mammogram: Mammogram) -> np.ndarray:
    try:
        dataset = pydicom.dcmread(path)
        frames = np.atleast_3d(dataset.pixel_array)
        frames = frames if dataset.get("NumberOfFrames", 1) > 1 else dataset.pixel_array[None]
        if dataset.get("SegmentationType") == "FRACTIONAL":
            frames = frames >= dataset.MaximumFractionalValue / 2
        groups = dataset.PerFrameFunctionalGroupsSequence
        numbers = [int(g.SegmentIdentificationSequence[0].ReferencedSegmentNumber) for g in groups]
        breast = {int(s.SegmentNumber) for s in dataset.SegmentSequence if _is_breast(s)}
        groups = [*dataset.get("SharedFunctionalGroupsSequence", ()), *groups]
        spacings = _stated(groups, "PixelMeasuresSequence", "PixelSpacing")
        origins = _stated(groups, "PlanePositionSequence", "ImagePositionPatient")
    except Exception as error:  # pydicom raises whatever a damaged element makes it raise
        raise _unreadable_segmentation(path.name) from error
    require_shape(path, frames.shape[1:], mammogram)
    for row_col_mm in spacings:
        require_spacing(path, row_col_mm, mammogram)
    for origin in origins:
        require_origin(path, origin, mammogram)
    kept = [frame for frame, number in zip(frames, numbers, strict=False) if number not in breast]
    return np.any(kept, axis=0) if kept else np.zeros(frames.shape[1:], bool)


def _stated(groups: list[pydicom.Dataset], sequence: str, keyword: str) -> set[tuple[float, ...]]:
    """What the functional groups of a segmentation say of the grid, each value once."""
    items = [item for group in groups for item in group.get(sequence) or ()]
    return {tuple(float(n) for n in item[keyword].value) for item in items if item.get(keyword)}


def _unreadable_segmentation(name: str) -> InputError:
    return InputError(f"{name}: cannot be read as a DICOM segmentation; export it again")


def _is_breast(segment: pydicom.Dataset) -> bool:
    codes = [code.get("CodeValue") for code in segment.get("SegmentedPropertyTypeCodeSequence", [])]
    return _BREAST_CODE in codes or str(segment.get("SegmentLabel", "")).lower() == "breast"
