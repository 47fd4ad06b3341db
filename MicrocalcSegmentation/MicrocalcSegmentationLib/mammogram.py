"""The one image type that everything after reading works on."""

from dataclasses import dataclass, field

import numpy as np

from .geometry import Geometry


@dataclass(frozen=True)
class Source:
    """Where an image came from.

    name: what to call it in messages: the file's name, or the volume's.
    path: the file read, or None when the pixels came from memory.
    dicom: DICOM keyword -> value, for the identifiers that outputs refer back
        to (SOPInstanceUID, StudyInstanceUID, PatientID, ...). Empty otherwise.
    spacing_from: what stated the spacing: a DICOM keyword, "file header" or "user".
    """

    name: str
    path: str | None = None
    dicom: dict[str, str] = field(default_factory=dict)
    spacing_from: str = "file header"


@dataclass(frozen=True)
class Mammogram:
    """A single-frame mammogram.

    pixels: (rows, cols) float32, brighter is denser, finite. Arbitrary units:
        a For Processing image is on a log-attenuation scale, any other as displayed.
    valid: (rows, cols) bool, False where the file says that a pixel is padding; None
        when all are image.
    geometry: the pixel grid as viewers place it (spacing at the detector).
    magnification: detector spacing over spacing in the breast (DICOM
        EstimatedRadiographicMagnificationFactor; 1 when not stated).
    view: "CC", "MLO", ... or None. laterality: "L", "R" or None.
    presentation: "FOR PRESENTATION", "FOR PROCESSING" or None.
    """

    pixels: np.ndarray
    geometry: Geometry
    source: Source
    valid: np.ndarray | None = None
    magnification: float = 1.0
    view: str | None = None
    laterality: str | None = None
    presentation: str | None = None

    @property
    def spacing_mm(self) -> tuple[float, float]:
        """(row, col) spacing in the breast: what lengths and areas are measured with."""
        row_mm, col_mm = self.geometry.spacing_mm
        return row_mm / self.magnification, col_mm / self.magnification

    @property
    def pixel_area_mm2(self) -> float:
        """Area of one pixel in the breast."""
        row_mm, col_mm = self.spacing_mm
        return row_mm * col_mm
