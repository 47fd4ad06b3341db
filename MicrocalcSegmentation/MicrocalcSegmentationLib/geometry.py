"""Where an image's pixels lie: spacing, and place in the patient's space.

Pixels are (row, col), counted from 0 at the centre of the first pixel. Patient
space is DICOM's and ITK's LPS, in millimetres.
"""

from dataclasses import dataclass

import numpy as np

IDENTITY = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


@dataclass(frozen=True)
class Geometry:
    """The pixel grid as viewers place it.

    spacing_mm: (between rows, between columns), as the file states it.
    origin_lps: place of the centre of pixel (0, 0).
    directions_lps: unit vectors along increasing column, increasing row, and slice.
    slice_thickness_mm: spacing along the third direction; of no meaning for a projection.
    """

    spacing_mm: tuple[float, float]
    origin_lps: tuple[float, float, float] = (0.0, 0.0, 0.0)
    directions_lps: tuple[tuple[float, float, float], ...] = IDENTITY
    slice_thickness_mm: float = 1.0

    def position_lps(self, rows_cols: np.ndarray) -> np.ndarray:
        """LPS positions in mm, (..., 3), of fractional (row, col), (..., 2)."""
        rows_cols = np.asarray(rows_cols, dtype=float)
        along_col, along_row, _ = np.asarray(self.directions_lps, dtype=float)
        row_mm, col_mm = self.spacing_mm
        return (
            np.asarray(self.origin_lps)
            + rows_cols[..., 1:2] * col_mm * along_col
            + rows_cols[..., 0:1] * row_mm * along_row
        )
