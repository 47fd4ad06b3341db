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


class LoadedBrightness:
    """What `grey_scale.brightness` gives, from values as Slicer shows them, in two passes.

    For Presentation the values stay as they are, but that padding gets the darkest value.
    For Processing they become log-attenuation, up to a constant. Every band of rows is first
    given to `look`, then again to `convert`.
    """

    def __init__(self, header: Header):
        self._name = header.name
        self._slope = header.number("RescaleSlope", 1.0)
        self._intercept = header.number("RescaleIntercept", 0.0)
        self._inverted = header.code("PhotometricInterpretation") == "MONOCHROME1"
        self._top = 2.0 ** header.integer("BitsStored", 16) - 1
        self._padding = self._padding_ends(header)
        self._linear, self._rises = False, False
        if presentation_intent(header) == "FOR PROCESSING":
            relationship, sign = exposure_scale(header)
            self._linear = relationship == "LIN"
            self._rises = sign == 1 and not self._inverted
        self._padded = False
        # Of the image without padding, before the logarithm.
        self._low, self._high, self._exposed = np.inf, -np.inf, np.inf

    def look(self, values: np.ndarray) -> None:
        """Note what the conversion depends on in (rows, cols) values."""
        valid = self._valid(values)
        raw = self._raw(values)
        inner = raw if valid is None else raw[valid]
        self._padded |= valid is not None and not valid.all()
        if inner.size:
            self._low = min(self._low, float(inner.min()))
            self._high = max(self._high, float(inner.max()))
        if self._linear and (exposed := inner[inner > 0]).size:
            self._exposed = min(self._exposed, float(exposed.min()))

    @property
    def has_padding(self) -> bool:
        """Whether some of what was looked at, but not all, is padding."""
        return bool(self._padded and np.isfinite(self._low))

    def convert(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """(rows, cols) float32 and bool, the latter None when there is no padding anywhere.

        Raises InputError for a For Processing image without any exposure.
        """
        if self._linear and not np.isfinite(self._exposed):
            raise InputError(
                f"{self._name}: a linear For Processing image without any exposure above zero; "
                "export the file again"
            )
        pixels = self._shown(self._raw(values))
        if not self.has_padding:
            return pixels, None
        valid = self._valid(values)
        pixels[~valid] = self._shown(np.array([self._low, self._high], np.float32)).min()
        return pixels, valid

    def _padding_ends(self, header: Header) -> np.ndarray | None:
        first = header.number("PixelPaddingValue")
        if first is None:
            return None
        ends = np.array([first, header.number("PixelPaddingRangeLimit", first)])
        return self._top - ends if self._inverted else ends

    def _valid(self, values: np.ndarray) -> np.ndarray | None:
        if self._padding is None:
            return None
        stored = (values - self._intercept) / self._slope if self._slope else values
        return (stored < self._padding.min()) | (stored > self._padding.max())

    def _raw(self, values: np.ndarray) -> np.ndarray:
        """Float32: exposures where the image is linear, else the values themselves."""
        raw = values.astype(np.float32)
        if self._linear and not self._rises:
            return np.float32(self._top * self._slope + 2 * self._intercept) - raw
        return raw

    def _shown(self, raw: np.ndarray) -> np.ndarray:
        if self._linear:
            return -np.log(np.maximum(raw, np.float32(self._exposed)))
        return -raw if self._rises else raw
