"""Whether a mask lies on its image's own grid, as far as its file says where it lies."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ...errors import InputError
from ...mammogram import Mammogram
from ...reading.spacing import agree

_AXES_AGREEMENT = 0.01
# Formats whose resolution is meant for printing, and which have no place in space.
_WITHOUT_PLACE = (".png", ".tif", ".tiff", ".jpg", ".jpeg")
_REMEDY = "write the mask again on its image's own grid"


def states_spacing(row_col_mm: Sequence[float]) -> bool:
    """A spacing of exactly 1 is what SimpleITK and Slicer say where a file says nothing."""
    return not all(mm == 1.0 for mm in row_col_mm)


def require_shape(path: Path, shape: tuple[int, ...], mammogram: Mammogram) -> None:
    """Raises InputError unless the mask has its image's pixels. shape: (rows, cols)."""
    if tuple(shape) != mammogram.pixels.shape:
        sizes = [" x ".join(str(n) for n in s) for s in (shape, mammogram.pixels.shape)]
        raise InputError(
            f"{path.name}: the mask has {sizes[0]} pixels, its image {sizes[1]}; give the mask on "
            "its image's own grid"
        )


def require_spacing(path: Path, row_col_mm: Sequence[float], mammogram: Mammogram) -> None:
    """Raises InputError unless the spacing is its image's, at the detector or in the breast."""
    own = mammogram.geometry.spacing_mm
    alike = agree(row_col_mm, own) or agree(row_col_mm, mammogram.spacing_mm)
    if states_spacing(row_col_mm) and not alike:
        stated, wanted = (" x ".join(f"{mm:g}" for mm in pair) for pair in (row_col_mm, own))
        raise InputError(
            f"{path.name}: the mask's spacing is {stated} mm, its image's {wanted} mm; {_REMEDY}"
        )


def require_origin(path: Path, origin_lps: Sequence[float], mammogram: Mammogram) -> None:
    """Raises InputError unless the first pixel lies where its image's does, to within a pixel.

    origin_lps: in mm; all 0 is what stands where a file says nothing.
    """
    apart_mm = float(np.linalg.norm(np.subtract(origin_lps, mammogram.geometry.origin_lps)))
    if any(origin_lps) and apart_mm > min(mammogram.geometry.spacing_mm):
        raise InputError(
            f"{path.name}: the mask lies {apart_mm:.3g} mm beside its image; {_REMEDY}"
        )


def require_place(path: Path, image: sitk.Image, mammogram: Mammogram) -> None:
    """Raises InputError when a mask's header puts it elsewhere than its image."""
    row_col_mm = image.GetSpacing()[1::-1]
    if path.name.lower().endswith(_WITHOUT_PLACE) or not states_spacing(row_col_mm):
        return
    require_spacing(path, row_col_mm, mammogram)
    require_origin(path, (*image.GetOrigin(), 0.0)[:3], mammogram)
    dimension = image.GetDimension()
    axes = np.eye(3)
    axes[:dimension, :dimension] = np.reshape(image.GetDirection(), (dimension, dimension))
    own = mammogram.geometry.directions_lps[:2]
    # Axes along the body's, mirrored or not, are what programs write without knowing any.
    unstated = np.allclose(np.abs(axes), np.eye(3), atol=_AXES_AGREEMENT)
    if not unstated and not np.allclose(axes.T[:2], own, atol=_AXES_AGREEMENT):
        raise InputError(f"{path.name}: the mask is turned against its image; {_REMEDY}")


def grid(mammogram: Mammogram, spacing_stated: bool = True) -> sitk.Image:
    """An empty image where the mammogram lies; at 1 mm, as Slicer shows it, without spacing."""
    rows, cols = mammogram.pixels.shape
    geometry = mammogram.geometry
    row_mm, col_mm = geometry.spacing_mm if spacing_stated else (1.0, 1.0)
    empty = sitk.Image(cols, rows, 1, sitk.sitkUInt8)
    empty.SetSpacing((col_mm, row_mm, geometry.slice_thickness_mm))
    empty.SetOrigin(geometry.origin_lps)
    empty.SetDirection(np.asarray(geometry.directions_lps, float).T.ravel().tolist())
    return empty
