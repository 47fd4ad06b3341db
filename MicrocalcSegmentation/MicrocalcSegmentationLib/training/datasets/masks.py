"""Masks of microcalcifications from any file: images, Slicer's segmentations, DICOM SEG.

A plain mask has its image's own pixels. A `.seg.nrrd` may be cropped and lies where its
header says, so it is placed by position in space.
"""

from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from pydicom.errors import InvalidDicomError

from ...errors import InputError
from ...mammogram import Mammogram

SEGMENTATION_CLASS = "1.2.840.10008.5.1.4.1.1.66.4"
SEGMENTATION_FILE = ".seg.nrrd"
_BREAST_CODE = "76752008"  # SNOMED CT, as Slicer's terminology and DICOM write it
_SPACING_AGREEMENT = 0.01  # relative; headers round to three digits


def read_mask(path: Path, mammogram: Mammogram) -> np.ndarray:
    """(rows, cols) bool, True on MCs, on the mammogram's own grid.

    Every segment counts, except one that is called or coded as the breast.
    Raises InputError when the file cannot be read, lies outside the image, or differs from
    it in size or spacing.
    """
    if path.name.lower().endswith(SEGMENTATION_FILE):
        return _slicer_mask(path, mammogram)
    if segmentation_header(path) is not None:
        return _dicom_mask(path, mammogram)
    image = _read(path)
    values = sitk.GetArrayFromImage(image)
    if image.GetNumberOfComponentsPerPixel() > 1:
        values = values.any(axis=-1)  # a grey mask saved as colour
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    _require_shape(path, values.shape, mammogram)
    _require_spacing(path, image.GetSpacing()[1::-1], mammogram)
    return values != 0


def segmentation_header(path: Path) -> pydicom.Dataset | None:
    """The header of a DICOM segmentation; None for any other file."""
    try:
        header = pydicom.dcmread(path, stop_before_pixels=True)
    except (InvalidDicomError, OSError, ValueError):
        return None
    return header if header.get("SOPClassUID") == SEGMENTATION_CLASS else None


def referenced_images(header: pydicom.Dataset) -> frozenset[str]:
    """SOP Instance UIDs that a DICOM segmentation says it was made on."""
    found = set()
    for element in header.iterall():
        if element.keyword == "ReferencedSOPInstanceUID" and element.value:
            found.add(str(element.value))
    return frozenset(found)


def _read(path: Path) -> sitk.Image:
    try:
        return sitk.ReadImage(str(path))
    except RuntimeError as error:
        raise InputError(f"{path.name}: cannot be read as a mask; write it again") from error


def _slicer_mask(path: Path, mammogram: Mammogram) -> np.ndarray:
    image = _read(path)
    _require_spacing(path, image.GetSpacing()[1::-1], mammogram)
    values = sitk.GetArrayFromImage(image)
    if image.GetDimension() == 2:
        values, image = values[None], sitk.JoinSeries(image)
    layers = values if values.ndim == 4 else values[..., None]
    marked = np.zeros(layers.shape[:3], np.uint8)
    dropped = _breast_labels(image)
    for layer in range(layers.shape[-1]):
        inside = layers[..., layer] != 0
        inside &= ~np.isin(layers[..., layer], [v for at, v in dropped if at == layer])
        marked |= inside
    flat = sitk.GetImageFromArray(marked)
    for copy in ("Spacing", "Origin", "Direction"):
        getattr(flat, f"Set{copy}")(getattr(image, f"Get{copy}")())
    placed = sitk.Resample(flat, _grid(mammogram), sitk.Transform(), sitk.sitkNearestNeighbor)
    mask = sitk.GetArrayFromImage(placed)[0] != 0
    lost = int(marked.sum()) - int(mask.sum())
    if lost > 0:
        raise InputError(
            f"{path.name}: {lost} of its {int(marked.sum())} marked pixels lie outside the image; "
            "segment the image itself, not a copy that was moved or turned"
        )
    return mask


def _breast_labels(image: sitk.Image) -> list[tuple[int, int]]:
    """(layer, value) of segments that stand for the whole breast."""
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


def _grid(mammogram: Mammogram) -> sitk.Image:
    rows, cols = mammogram.pixels.shape
    geometry = mammogram.geometry
    grid = sitk.Image(cols, rows, 1, sitk.sitkUInt8)
    grid.SetSpacing((*geometry.spacing_mm[::-1], geometry.slice_thickness_mm))
    grid.SetOrigin(geometry.origin_lps)
    grid.SetDirection(np.asarray(geometry.directions_lps, float).T.ravel().tolist())
    return grid


def _dicom_mask(path: Path, mammogram: Mammogram) -> np.ndarray:
    try:
        dataset = pydicom.dcmread(path)
        frames = np.atleast_3d(dataset.pixel_array)
        frames = frames if dataset.get("NumberOfFrames", 1) > 1 else dataset.pixel_array[None]
        numbers = [
            int(frame.SegmentIdentificationSequence[0].ReferencedSegmentNumber)
            for frame in dataset.PerFrameFunctionalGroupsSequence
        ]
        breast = {int(s.SegmentNumber) for s in dataset.SegmentSequence if _is_breast(s)}
    except Exception as error:  # pydicom raises whatever a damaged element makes it raise
        raise InputError(
            f"{path.name}: cannot be read as a DICOM segmentation; export it again"
        ) from error
    _require_shape(path, frames.shape[1:], mammogram)
    kept = [frame for frame, number in zip(frames, numbers, strict=False) if number not in breast]
    return np.any(kept, axis=0) if kept else np.zeros(frames.shape[1:], bool)


def _is_breast(segment: pydicom.Dataset) -> bool:
    codes = [code.get("CodeValue") for code in segment.get("SegmentedPropertyTypeCodeSequence", [])]
    return _BREAST_CODE in codes or str(segment.get("SegmentLabel", "")).lower() == "breast"


def _require_shape(path: Path, shape: tuple[int, ...], mammogram: Mammogram) -> None:
    if tuple(shape) != mammogram.pixels.shape:
        sizes = [" x ".join(str(n) for n in s) for s in (shape, mammogram.pixels.shape)]
        raise InputError(
            f"{path.name}: the mask has {sizes[0]} pixels, its image {sizes[1]}; give the mask on "
            "its image's own grid"
        )


def _require_spacing(path: Path, row_col_mm: tuple[float, ...], mammogram: Mammogram) -> None:
    """A spacing of exactly 1 is what SimpleITK says where a file says nothing."""
    if all(mm == 1.0 for mm in row_col_mm) or path.suffix.lower() != ".nrrd":
        return
    own = mammogram.geometry.spacing_mm
    if not np.allclose(row_col_mm, own, rtol=_SPACING_AGREEMENT):
        stated, wanted = (" x ".join(f"{mm:g}" for mm in pair) for pair in (row_col_mm, own))
        raise InputError(
            f"{path.name}: the mask's spacing is {stated} mm, its image's {wanted} mm; "
            "write the mask again on its image's own grid"
        )
