"""Writes simulated mammograms as Digital Mammography X-Ray Image objects (DICOM PS3.3 A.27)."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import UID, generate_uid

from ..errors import InputError
from ..mammogram import Mammogram

EXPLICIT = "1.2.840.10008.1.2.1"
IMPLICIT = "1.2.840.10008.1.2"
BIG_ENDIAN = "1.2.840.10008.1.2.2"
DEFLATED = "1.2.840.10008.1.2.1.99"
RLE = "1.2.840.10008.1.2.5"
JPEG_LS = "1.2.840.10008.1.2.4.80"
JPEG_LS_NEAR = "1.2.840.10008.1.2.4.81"
JPEG_2000_LOSSLESS = "1.2.840.10008.1.2.4.90"
JPEG_2000 = "1.2.840.10008.1.2.4.91"
SYNTAXES = (
    *(EXPLICIT, IMPLICIT, BIG_ENDIAN, DEFLATED, RLE),
    *(JPEG_LS, JPEG_LS_NEAR, JPEG_2000_LOSSLESS, JPEG_2000),
)
_LOSSY_METHODS = {JPEG_LS_NEAR: "ISO_14495_1", JPEG_2000: "ISO_15444_1"}
_SOP_CLASSES = {
    "FOR PRESENTATION": "1.2.840.10008.5.1.4.1.1.1.2",
    "FOR PROCESSING": "1.2.840.10008.5.1.4.1.1.1.2.1",
}
# Code value and meaning (SNOMED CT, Context Group 4014).
_VIEWS = {
    "CC": ("399162004", "cranio-caudal"),
    "MLO": ("399368009", "medio-lateral oblique"),
    "ML": ("399260004", "medio-lateral"),
    "LM": ("399352003", "latero-medial"),
}
SYNTHETIC = "SYNTHETIC-"  # how the ID of every simulated patient begins
_NO_DATE = "19000101"  # plainly no examination's


@dataclass(frozen=True)
class Encoding:
    """How the pixels are stored.

    syntax: transfer syntax UID, one of `SYNTAXES`.
    photometric: "MONOCHROME1" or "MONOCHROME2".
    bits_stored: 8 to 16; in 8 bits allocated when 8, else in 16.
    grey_range: the pixel values (low, high) stored as the lowest and highest number; None
        takes those of the image. For Processing: `low` is the highest exposure's.
    rescale: also write slope and intercept, so that a reader gets the pixels' own values back.
        An MG object proper has the identity there, so leave it False for other software.
    near: largest error of near-lossless JPEG-LS, in stored numbers. ratio: JPEG 2000's
        compression ratio.
    """

    syntax: str = EXPLICIT
    photometric: str = "MONOCHROME2"
    bits_stored: int = 12
    grey_range: tuple[float, float] | None = None
    rescale: bool = False
    near: int = 2
    ratio: float = 10.0


def write_dicom_mg(
    path: str | os.PathLike, mammogram: Mammogram, encoding: Encoding | None = None, seed: int = 0
) -> None:
    """Write a simulated mammogram; the same arguments give the same bytes.

    For Presentation (also when the mammogram says nothing): its pixels, scaled to the stored
    bits. For Processing: its pixels are taken as log-attenuation, and what is stored is the
    exposure, linear in the detector's signal. Pixels outside `valid` become Pixel Padding.
    The seed enters the UIDs and the patient's name, which calls itself synthetic.
    Raises InputError when the encoding is not possible, or the file cannot be written.
    """
    encoding = encoding or Encoding()
    _require_possible(mammogram, encoding)
    stored, slope, intercept = _quantised(mammogram, encoding)
    dataset = _dataset(mammogram, seed, stored)
    _add_image(dataset, mammogram, encoding, stored)
    if encoding.rescale:
        # DS holds 16 characters.
        dataset.RescaleSlope, dataset.RescaleIntercept = f"{slope:.9g}", f"{intercept:.9g}"
    _encode(dataset, stored, encoding)
    _save(Path(path), dataset)


def _require_possible(mammogram: Mammogram, encoding: Encoding) -> None:
    if encoding.syntax not in SYNTAXES:
        raise InputError(f"{encoding.syntax}: no transfer syntax that can be written here")
    if encoding.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        raise InputError(f"{encoding.photometric}: not MONOCHROME1 or MONOCHROME2")
    if not 8 <= encoding.bits_stored <= 16:
        raise InputError(f"{encoding.bits_stored} bits stored: 8 to 16 can be written")
    if mammogram.valid is not None and encoding.syntax in _LOSSY_METHODS:
        raise InputError("padding does not survive lossy compression; leave one of them out")


def _is_processing(mammogram: Mammogram) -> bool:
    return mammogram.presentation == "FOR PROCESSING"


def _quantised(mammogram: Mammogram, encoding: Encoding) -> tuple[np.ndarray, float, float]:
    """Stored numbers, (rows, cols) uint8 or uint16, and their rescale slope and intercept.

    One end of the numbers is kept for padding, where there is any.
    """
    pixels, valid = mammogram.pixels.astype(np.float64), mammogram.valid
    inside = pixels if valid is None else pixels[valid]
    low, high = encoding.grey_range or (inside.min(), inside.max())
    if not (np.isfinite(inside).all() and np.isfinite([low, high]).all() and low < high):
        raise InputError(f"{mammogram.source.name}: nothing but finite, varying pixels is written")
    top = (1 << encoding.bits_stored) - 1
    if _is_processing(mammogram):
        if encoding.rescale:
            raise InputError("For Processing: exposures have no rescale slope that gives pixels")
        step, first = 1.0, 1
        # Zero exposure has no logarithm; as many counts as the bits hold stay below it.
        numbers = np.clip(np.round(top * np.exp(low - pixels)), first, top)
        falling = encoding.photometric == "MONOCHROME2"
    else:
        first = 0 if valid is None else 1
        step = (high - low) / (top - first)
        numbers = np.clip(first + np.round((pixels - low) / step), first, top)
        falling = encoding.photometric == "MONOCHROME1"
    if valid is not None:
        numbers[~valid] = 0
    stored = top - numbers if falling else numbers
    kind = np.uint8 if encoding.bits_stored == 8 else np.uint16
    return stored.astype(kind), step, low - first * step


def _dataset(mammogram: Mammogram, seed: int, stored: np.ndarray) -> Dataset:
    """Patient, study, series and equipment, with UIDs that follow from the content."""
    side, view = mammogram.laterality or "L", mammogram.view or "CC"
    intent = mammogram.presentation or "FOR PRESENTATION"
    content = hashlib.sha256(stored.tobytes()).hexdigest()
    patient = _patient_id(mammogram, seed)
    dataset = Dataset()
    dataset.SpecificCharacterSet = "ISO_IR 100"
    dataset.SOPClassUID = _SOP_CLASSES[intent]
    dataset.SOPInstanceUID = _uid("image", seed, side, view, intent, content)
    dataset.StudyInstanceUID = _uid("study", patient)
    dataset.SeriesInstanceUID = _uid("series", seed, intent)
    dataset.PatientName = "SYNTHETIC^NOT A PATIENT"
    dataset.PatientID = patient
    dataset.PatientBirthDate = dataset.ReferringPhysicianName = dataset.AccessionNumber = ""
    dataset.PatientSex = "F"
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1", 1, 1
    dataset.StudyDate = dataset.ContentDate = dataset.AcquisitionDate = _NO_DATE
    dataset.StudyTime = dataset.ContentTime = dataset.AcquisitionTime = "000000"
    dataset.Modality = "MG"
    dataset.PresentationIntentType = intent
    dataset.SeriesDescription = "Simulated mammogram"
    dataset.ImageComments = "Simulated by MicrocalcSegmentation; not of a patient"
    dataset.Manufacturer = "MicrocalcSegmentation"
    dataset.ManufacturerModelName = "simulation"
    dataset.DeviceSerialNumber, dataset.SoftwareVersions = "none", "1"
    return dataset


def _patient_id(mammogram: Mammogram, seed: int) -> str:
    """The mammogram's own, where it is of a synthetic patient; a real one is not handed on."""
    own = mammogram.source.dicom.get("PatientID", "")
    return own if own.startswith(SYNTHETIC) else f"{SYNTHETIC}{seed}"


def _uid(*parts: object) -> str:
    return generate_uid(entropy_srcs=["MicrocalcSegmentation", *map(str, parts)])


def _add_image(
    dataset: Dataset, mammogram: Mammogram, encoding: Encoding, stored: np.ndarray
) -> None:
    """The image, DX and mammography modules, without the pixels."""
    processing = _is_processing(mammogram)
    dataset.ImageType = ["ORIGINAL" if processing else "DERIVED", "PRIMARY"]
    _add_acquisition(dataset, mammogram)
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = encoding.photometric
    dataset.Rows, dataset.Columns = stored.shape
    dataset.BitsAllocated = stored.dtype.itemsize * 8
    dataset.BitsStored, dataset.HighBit = encoding.bits_stored, encoding.bits_stored - 1
    inverse = encoding.photometric == "MONOCHROME1"
    dataset.PresentationLUTShape = "INVERSE" if inverse else "IDENTITY"
    dataset.BurnedInAnnotation = "NO"
    dataset.LossyImageCompression = "01" if encoding.syntax in _LOSSY_METHODS else "00"
    dataset.PixelIntensityRelationship = "LIN" if processing else "LOG"
    dataset.PixelIntensityRelationshipSign = 1 if inverse else -1
    dataset.RescaleIntercept, dataset.RescaleSlope, dataset.RescaleType = "0", "1", "US"
    if not processing:
        half = 1 << (encoding.bits_stored - 1)
        dataset.WindowCenter, dataset.WindowWidth = str(half), str(2 * half)
    if mammogram.valid is not None:
        dataset.PixelPaddingValue = 2**encoding.bits_stored - 1 if inverse != processing else 0


def _add_acquisition(dataset: Dataset, mammogram: Mammogram) -> None:
    """Anatomy, view, detector and position of the breast.

    Patient Orientation is that of the usual hanging: the chest wall at the side of the breast's
    own name on the screen's other half, left breast's at the left.
    """
    side, view = mammogram.laterality or "L", mammogram.view or "CC"
    if view not in _VIEWS:
        raise InputError(f"view {view}: {', '.join(_VIEWS)} can be written")
    down = ("R" if side == "L" else "L") if view == "CC" else "F"
    dataset.PatientOrientation = ["A" if side == "L" else "P", down]
    dataset.ImageLaterality = side
    dataset.OrganExposed, dataset.BodyPartExamined = "BREAST", "BREAST"
    dataset.AnatomicRegionSequence = [_code("76752008", "SCT", "Breast")]
    dataset.ViewPosition = view
    view_item = _code(_VIEWS[view][0], "SCT", _VIEWS[view][1])
    view_item.ViewModifierCodeSequence = []
    dataset.ViewCodeSequence = [view_item]
    dataset.AcquisitionContextSequence = []
    dataset.PositionerType, dataset.BreastImplantPresent = "MAMMOGRAPHIC", "NO"
    dataset.DetectorType = "DIRECT"
    dataset.ImagerPixelSpacing = [f"{mm:.10g}" for mm in mammogram.geometry.spacing_mm]
    if mammogram.magnification != 1:
        dataset.EstimatedRadiographicMagnificationFactor = f"{mammogram.magnification:.10g}"


def _code(value: str, scheme: str, meaning: str) -> Dataset:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    return item


def _encode(dataset: Dataset, stored: np.ndarray, encoding: Encoding) -> None:
    """Adds the pixel data in its transfer syntax."""
    syntax = UID(encoding.syntax)
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.file_meta.TransferSyntaxUID = syntax
    if not syntax.is_compressed or syntax.is_deflated:
        order = ">" if syntax == BIG_ENDIAN else "<"
        raw = stored.astype(stored.dtype.newbyteorder(order)).tobytes()
        dataset.PixelData = raw + b"\0" * (len(raw) % 2)
        dataset["PixelData"].VR = "OW" if dataset.BitsAllocated == 16 else "OB"
        return
    options = {"generate_instance_uid": False}
    if syntax == JPEG_LS_NEAR:
        options["jls_error"] = encoding.near
    if syntax == JPEG_2000:
        options["j2k_cr"] = [encoding.ratio]
    if syntax != RLE and int(pydicom.__version__.split(".")[0]) < 3:
        raise InputError(f"{syntax.name}: pydicom 3 or later is needed to write it")
    dataset.compress(syntax, stored, **options)
    if encoding.syntax in _LOSSY_METHODS:
        dataset.LossyImageCompressionRatio = f"{stored.nbytes / len(dataset.PixelData):.3f}"
        dataset.LossyImageCompressionMethod = _LOSSY_METHODS[encoding.syntax]


def _save(path: Path, dataset: Dataset) -> None:
    beside = path.with_name(f".{path.name}.part")
    try:
        try:
            _write_file(beside, dataset)
            os.replace(beside, path)
        finally:
            beside.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(
            f"{path}: cannot be written ({error.strerror}); check the folder"
        ) from None


def _write_file(path: Path, dataset: Dataset) -> None:
    if int(pydicom.__version__.split(".")[0]) >= 3:
        pydicom.dcmwrite(path, dataset, enforce_file_format=True)
        return
    syntax = dataset.file_meta.TransferSyntaxUID
    dataset.is_little_endian = syntax != BIG_ENDIAN
    dataset.is_implicit_VR = syntax == IMPLICIT
    pydicom.dcmwrite(path, dataset, write_like_original=False)
