"""What a segmentation holds now, after somebody has drawn in it."""

from collections.abc import Generator

import numpy as np
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from ..mammogram import Mammogram
from .nodes import LABELMAP
from .steps import bands_of, finished
from .volumes import ijk_to_ras

_SAME_GRID = 1e-6  # mm, by which two matrices of one grid may differ after rounding


def mask_of(node, mammogram: Mammogram) -> np.ndarray:
    """(rows, cols) bool: the pixels of all segments of a segmentation, as it is now."""
    mask = np.empty(mammogram.pixels.shape, bool)
    finished(mask_in_steps(node, mammogram, mask))
    return mask


def mask_in_steps(node, mammogram: Mammogram, mask: np.ndarray) -> Generator[None, None, None]:
    """Fill a (rows, cols) bool mask with the pixels of all segments, in short steps.

    Layers drawn on another grid are resampled to the mammogram's, each in one go.
    """
    for rows in bands_of(mask):
        mask[rows] = False
        yield
    segmentation = node.GetSegmentation()
    grid = ijk_to_ras(mammogram.geometry)
    for number in range(segmentation.GetNumberOfLayers(LABELMAP)):
        layer = segmentation.GetLayerDataObject(number, LABELMAP)
        if layer is None or layer.IsEmpty():
            continue
        ids = segmentation.GetSegmentIDsForLayer(number, LABELMAP)
        labels = [segmentation.GetSegment(one).GetLabelValue() for one in ids]
        if not _is_on(layer, grid):
            layer = _resampled(layer, grid, mask.shape)
        yield
        yield from _paint(mask, layer, labels)


def _is_on(layer, grid) -> bool:
    own = vtk.vtkMatrix4x4()
    layer.GetImageToWorldMatrix(own)
    pairs = ((own.GetElement(i, j), grid.GetElement(i, j)) for i in range(3) for j in range(4))
    return all(abs(one - other) <= _SAME_GRID for one, other in pairs)


def _resampled(layer, grid, shape: tuple[int, int]):
    reference, own = slicer.vtkOrientedImageData(), slicer.vtkOrientedImageData()
    reference.SetExtent(0, shape[1] - 1, 0, shape[0] - 1, 0, 0)
    reference.SetGeometryFromImageToWorldMatrix(grid)
    # In the node's own space: the transform over it is over the volume, too.
    slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
        layer, reference, own
    )
    return own


def _paint(mask: np.ndarray, image, labels: list[int]) -> Generator[None, None, None]:
    """Set the pixels that have one of these labels; the image lies on the mask's grid."""
    first_col, last_col, first_row, last_row, *_ = image.GetExtent()
    if last_col < first_col or last_row < first_row:
        return
    shape = last_row - first_row + 1, last_col - first_col + 1
    values = vtk_to_numpy(image.GetPointData().GetScalars()).reshape(shape)
    # Drawing may go beyond the image.
    top, left = max(first_row, 0), max(first_col, 0)
    bottom, right = min(last_row + 1, mask.shape[0]), min(last_col + 1, mask.shape[1])
    values = values[top - first_row : bottom - first_row, left - first_col : right - first_col]
    target = mask[top:bottom, left:right]
    for rows in bands_of(values):
        target[rows] |= np.isin(values[rows], labels)
        yield
