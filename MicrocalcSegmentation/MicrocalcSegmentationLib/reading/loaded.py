"""Pixels that another program has read from a DICOM file already: what is left to do.

Slicer (ITK, GDCM) applies rescale slope and intercept, and turns MONOCHROME1 around within
its stored bits; it applies no VOI transform, and knows nothing of exposure or padding.
"""

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from .dicom import identifiers, is_dicom, parsed, presentation_intent, warnings_logged
from .grey_scale import exposure_scale
from .header import Header
from .spacing import dicom_spacing
from .views import laterality, view

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Facts:
    """What a DICOM header adds to pixels: the fields of `Mammogram` and of its `Source`."""

    dicom: dict[str, str]
    spacing_from: str
    magnification: float
    view: str | None
    laterality: str | None
    presentation: str | None


def header_of(path: Path) -> Header | None:
    """The header of a DICOM file without its pixels; None for any other file.

    Raises InputError when it is DICOM, but damaged.
    """
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError as error:
        _log.info("%s: %s", path, error)
        return None
    if not is_dicom(start):
        return None
    with warnings_logged(path.name):
        return parsed(path, stop_before_pixels=True)[0]


def facts_of(header: Header) -> Facts:
    """Never raises for a missing or odd spacing: the pixels' own spacing is judged elsewhere."""
    try:
        spacing = dicom_spacing(header, None)
        stated_by, magnification = spacing.stated_by, spacing.magnification
    except InputError as error:
        _log.info("%s", error)
        stated_by, magnification = "volume", 1.0
    return Facts(
        dicom=identifiers(header),
        spacing_from=stated_by,
        magnification=magnification,
        view=view(header),
        laterality=laterality(header),
        presentation=presentation_intent(header),
    )


def brightness_of_loaded(
    header: Header, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray | None]:
    """What `grey_scale.brightness` gives, from values as Slicer shows them.

    For Presentation the values stay as they are, but that padding gets the darkest value.
    For Processing they become log-attenuation, up to a constant.
    Returns (rows, cols) float32 and bool, the latter None when there is no padding.
    Raises InputError for a For Processing image without any exposure.
    """
    slope, intercept = header.number("RescaleSlope", 1.0), header.number("RescaleIntercept", 0.0)
    inverted = header.code("PhotometricInterpretation") == "MONOCHROME1"
    top = 2.0 ** header.integer("BitsStored", 16) - 1
    valid = _valid(header, (values - intercept) / slope if slope else values, inverted, top)
    pixels = values.astype(np.float32)
    if presentation_intent(header) == "FOR PROCESSING":
        relationship, sign = exposure_scale(header)
        rises = sign == 1 and not inverted
        if relationship == "LIN":
            exposure = pixels if rises else np.float32(top * slope + 2 * intercept) - pixels
            pixels = _minus_log(header.name, exposure, valid)
        elif rises:
            pixels = -pixels
    if valid is None:
        return pixels, None
    pixels[~valid] = pixels[valid].min()
    return pixels, valid


def _valid(header: Header, stored: np.ndarray, inverted: bool, top: float) -> np.ndarray | None:
    first = header.number("PixelPaddingValue")
    if first is None:
        return None
    ends = np.array([first, header.number("PixelPaddingRangeLimit", first)])
    if inverted:
        ends = top - ends
    valid = (stored < ends.min()) | (stored > ends.max())
    return None if valid.all() or not valid.any() else valid


def _minus_log(name: str, exposure: np.ndarray, valid: np.ndarray | None) -> np.ndarray:
    looked_at = exposure if valid is None else exposure[valid]
    above_zero = looked_at[looked_at > 0]
    if above_zero.size == 0:
        raise InputError(
            f"{name}: a linear For Processing image without any exposure above zero; "
            "export the file again"
        )
    return -np.log(np.maximum(exposure, above_zero.min()))
