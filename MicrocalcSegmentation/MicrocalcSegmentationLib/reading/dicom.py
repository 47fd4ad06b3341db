"""Digital mammograms and digitised films in DICOM files."""

import logging
import warnings
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pydicom
from pydicom import uid

from ..errors import InputError
from ..geometry import IDENTITY, Geometry
from ..mammogram import Mammogram, Source
from .admission import MAX_SIDE_PIXELS, require_plausible_size
from .grey_scale import brightness
from .header import Header, short
from .pixel_data import layout, stored_pixels
from .spacing import Spacing, dicom_spacing
from .views import laterality, view

_log = logging.getLogger(__name__)

FOR_PROCESSING_MG = "1.2.840.10008.5.1.4.1.1.1.2.1"
FOR_PRESENTATION_MG = "1.2.840.10008.5.1.4.1.1.1.2"
BREAST_3D = "1.2.840.10008.5.1.4.1.1.13."  # tomosynthesis, its projections, enhanced 3D X-ray
# What outputs refer back to, and what a reader of a report wants to know of the image.
IDENTIFIERS = (
    *("SpecificCharacterSet", "PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyInstanceUID", "StudyDate", "StudyTime", "StudyID", "StudyDescription"),
    *("AccessionNumber", "ReferringPhysicianName", "Modality", "SeriesInstanceUID"),
    *("SeriesNumber", "SeriesDescription", "SOPClassUID", "SOPInstanceUID", "InstanceNumber"),
    *("FrameOfReferenceUID", "ContentDate", "ContentTime", "AcquisitionDate", "AcquisitionTime"),
    *("Manufacturer", "ManufacturerModelName", "DeviceSerialNumber", "SoftwareVersions"),
    *("InstitutionName", "PatientOrientation", "ViewPosition", "ImageLaterality", "Laterality"),
    *("Rows", "Columns", "BitsStored", "PhotometricInterpretation", "PresentationIntentType"),
)
_PREAMBLE_BYTES = 132  # with "DICM" at its end
_PIXEL_GROUPS = (b"\xe0\x7f", b"\x7f\xe0")  # 7FE0 in either byte order
_MAX_INFLATED_BYTES = 2 * MAX_SIDE_PIXELS**2 + (1 << 26)  # the pixels, and 64 MiB of header


def is_dicom(start: bytes) -> bool:
    """Whether a file's first 132 bytes or more are DICOM's, with or without its preamble.

    Without the preamble, the first tag is of group 2 or 8, in either byte order.
    """
    if start[128:132] == b"DICM":
        return True
    return start[:2] in (b"\x02\0", b"\x08\0") or (
        start[:2] in (b"\0\x02", b"\0\x08") and start[4:6].isalpha()
    )


def read_dicom(path: Path, spacing_mm: Sequence[float] | None) -> Mammogram:
    """A single-frame MG object as a `Mammogram`; see `brightness` and `dicom_spacing`.

    Geometry is what ITK and Slicer give it: Image Position and Orientation (Patient) where an
    object has them, else the origin and LPS axes.
    Raises InputError for anything else, and for a file that is cut short or damaged.
    """
    name = path.name
    with warnings_logged(name):
        # The header alone first: a tomosynthesis object is refused without reading its gigabytes.
        header, has_pixels = parsed(path, stop_before_pixels=True)
        _require_single_frame_mammogram(header, has_pixels)
        grid = layout(header)
        require_plausible_size(name, (grid.rows, grid.cols))
        spacing = dicom_spacing(header, spacing_mm)
        presentation = presentation_intent(header)
        header, _ = parsed(path, stop_before_pixels=False)
        stored = stored_pixels(header, _transfer_syntax(header))
        pixels, valid = brightness(header, stored, presentation == "FOR PROCESSING")
        return Mammogram(
            pixels=pixels,
            geometry=_geometry(header, spacing),
            source=Source(name, str(path), identifiers(header), spacing.stated_by),
            valid=valid,
            magnification=spacing.magnification,
            view=view(header),
            laterality=laterality(header),
            presentation=presentation,
        )


@contextmanager
def warnings_logged(name: str) -> Iterator[None]:
    """Send what pydicom warns of (odd but readable values) to the log."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            yield
        finally:
            for warning in caught:
                _log.info("%s: %s", name, warning.message)


def parsed(path: Path, stop_before_pixels: bool) -> tuple[Header, bool]:
    """The header, with pixels or not, and whether pixel data follow it.

    Raises InputError where it is not DICOM after all, or damaged.
    """
    # On damaged files pydicom raises nearly anything: InvalidDicomError, EOFError, KeyError,
    # struct.error, zlib.error, RecursionError, ...; here they all mean the same.
    try:
        _require_plausible_inflation(path)
        with path.open("rb") as file:
            dataset = pydicom.dcmread(file, stop_before_pixels=stop_before_pixels, force=True)
            # pydicom takes the end of a cut file for the end of its header, but where pixel data
            # made it stop, it goes back to their tag. Deflated data it has read to the end.
            has_pixels = file.read(2) in _PIXEL_GROUPS or _is_deflated(dataset.file_meta)
        known = any(keyword in dataset for keyword in ("SOPClassUID", "Modality", "Rows"))
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            f"{path.name}: a DICOM file that is cut short or damaged ({short(error)}); "
            "copy or export it again"
        ) from error
    if not known:
        raise InputError(
            f"{path.name}: no readable DICOM header; the file is cut short, damaged or not an "
            "image, copy or export it again"
        )
    return Header(path.name, dataset), has_pixels


def _is_deflated(meta: pydicom.Dataset) -> bool:
    return meta.get("TransferSyntaxUID") == uid.DeflatedExplicitVRLittleEndian


def _require_plausible_inflation(path: Path) -> None:
    """Refuse a deflated data set that would fill the memory, before pydicom inflates it."""
    with path.open("rb") as file:
        if file.read(_PREAMBLE_BYTES)[-4:] != b"DICM":
            return
        meta = pydicom.filereader.read_file_meta_info(path)
        if not _is_deflated(meta):
            return
        file.seek(_PREAMBLE_BYTES + 12 + int(meta.FileMetaInformationGroupLength))
        inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
        chunk = file.read(1 << 16)
        while chunk:
            size += len(inflater.decompress(chunk, 1 << 24))
            chunk = inflater.unconsumed_tail or file.read(1 << 16)
            if size > _MAX_INFLATED_BYTES:
                raise InputError(
                    f"{path.name}: inflates to more data than a mammogram has; the file is damaged"
                )


def _require_single_frame_mammogram(header: Header, has_pixels: bool) -> None:
    name = header.name
    modality = header.code("Modality")
    sop_class = header.code("SOPClassUID") or ""
    if modality is None and sop_class in (FOR_PRESENTATION_MG, FOR_PROCESSING_MG):
        modality = "MG"
    if not has_pixels and modality in (None, "MG"):
        raise InputError(
            f"{name}: no pixel data; the file is cut short or holds no image, "
            "copy or export it again"
        )
    if modality != "MG":
        raise InputError(
            f"{name}: its modality is {short(modality or 'not stated')}, not MG (mammography); "
            "give a mammogram"
        )
    frames = header.number("NumberOfFrames", 1)
    if frames != 1 or sop_class.startswith(BREAST_3D):
        raise InputError(
            f"{name}: a multi-frame object ({frames:g} frames; tomosynthesis?), which is not "
            "read; give the 2-D mammogram of the same view"
        )
    photometric = header.code("PhotometricInterpretation") or "not stated"
    samples = header.integer("SamplesPerPixel", 1)
    if samples != 1 or photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputError(
            f"{name}: a colour image ({short(photometric)}, {samples} values per pixel); "
            "mammograms are grey, export it as MONOCHROME2"
        )


def _transfer_syntax(header: Header) -> str:
    """The UID stated, or the uncompressed one that pydicom found the header to be written in."""
    stated = header.dataset.file_meta.get("TransferSyntaxUID")
    if stated:
        return str(stated)
    implicit, little_endian = header.encoding
    if not little_endian:
        return uid.ExplicitVRBigEndian
    return uid.ImplicitVRLittleEndian if implicit else uid.ExplicitVRLittleEndian


def presentation_intent(header: Header) -> str | None:
    """ "FOR PRESENTATION", "FOR PROCESSING" or None: stated, or by the SOP class."""
    stated = header.code("PresentationIntentType")
    if stated in ("FOR PRESENTATION", "FOR PROCESSING"):
        return stated
    classes = {FOR_PRESENTATION_MG: "FOR PRESENTATION", FOR_PROCESSING_MG: "FOR PROCESSING"}
    return classes.get(header.code("SOPClassUID"))


def _geometry(header: Header, spacing: Spacing) -> Geometry:
    origin, cosines = (0.0, 0.0, 0.0), None
    try:
        position = header.numbers("ImagePositionPatient")
        cosines = header.numbers("ImageOrientationPatient")
    except InputError as error:
        _log.warning("%s; placed at the origin", error)
        position = None
    if position and len(position) == 3 and np.isfinite(position).all():
        origin = position
    return Geometry(spacing.row_col_mm, origin, _directions(cosines))


def _directions(cosines: Sequence[float] | None) -> tuple[tuple[float, ...], ...]:
    """Unit vectors along columns, rows and slice; LPS axes where the header has no sound ones."""
    if cosines is None or len(cosines) != 6 or not np.isfinite(cosines).all():
        return IDENTITY
    along_col, along_row = np.reshape(cosines, (2, 3))
    lengths = np.linalg.norm(along_col), np.linalg.norm(along_row)
    if min(lengths) < 0.9 or abs(along_col @ along_row) > 0.01:
        return IDENTITY
    along_col, along_row = along_col / lengths[0], along_row / lengths[1]
    rows = along_col, along_row, np.cross(along_col, along_row)
    return tuple(tuple(float(part) for part in row) for row in rows)


def identifiers(header: Header) -> dict[str, str]:
    """Keyword -> value as text, several values joined as DICOM joins them."""
    values = {keyword: "\\".join(header.texts(keyword)) for keyword in IDENTIFIERS}
    return {keyword: value for keyword, value in values.items() if value}
