"""The method's classes of samples, C1 to C4, at every pixel of an image.

Valvano et al. 2019 name them by the patch's centre: C1, it is MC; C2, an MC lies within 2
to 3 pixels of it; C3, an MC lies in the patch, farther out; C4, none does. Ours, where the
paper leaves it open: C2 reaches to 3 pixels (Euclidean), touching pixels included; centres
are breast pixels; a patch may reach over the image's border, where the networks see 0.
"""

import numpy as np
from scipy.ndimage import binary_dilation, distance_transform_edt, find_objects, maximum_filter

from ...settings import METHOD_SPACING_MM

OUTSIDE, BREAST, MC, UNCERTAIN, REGION = range(5)  # of a pixel
C1, C2, C3, C4 = 1, 2, 3, 4
# Centre in a region that is known to hold MCs, none of which is outlined (cluster level).
IN_REGION = 5
CLASSES = {C1: "C1", C2: "C2", C3: "C3", C4: "C4", IN_REGION: "region"}
NEAR_PX = 3
INSIDE, SKIN, CHEST = 0, 1, 2
ZONES = {INSIDE: "inside", SKIN: "skin line", CHEST: "chest wall"}
ZONE_MM = 5.0
_BLOCK_PX = 8  # zones are told apart on blocks of 0.4 mm


def class_map(labels: np.ndarray, side: int) -> np.ndarray:
    """(rows, cols) uint8: C1 to C4 or IN_REGION, 0 where no sample is taken.

    labels: uint8 of OUTSIDE, BREAST, MC, UNCERTAIN and REGION. side: N, odd.
    None is taken at uncertain pixels, and none where the patch holds uncertain pixels but
    no MC for certain: it might be C3 or C4.
    """
    breast = labels == BREAST
    classes = np.where(breast, np.uint8(C4), np.uint8(0))
    uncertain = (labels == UNCERTAIN) | (labels == REGION)
    classes[_within_patch(uncertain, side) & breast] = 0
    certain = labels == MC
    classes[_within_patch(certain, side) & breast] = C3
    classes[_near(certain) & breast] = C2
    classes[certain] = C1
    classes[labels == REGION] = IN_REGION
    return classes


def zone_map(labels: np.ndarray, box: tuple[int, int, int, int], shape) -> np.ndarray:
    """(rows, cols) uint8 of INSIDE, SKIN and CHEST: where in the breast a pixel lies.

    SKIN: within 5 mm of the breast's outline; CHEST: within 5 mm of an edge of the image that
    cuts the breast off, which is the chest wall mostly. box: (row, col, rows, cols) of the
    labels' extent in the image's own pixels; shape: of the image.
    """
    coarse = labels[::_BLOCK_PX, ::_BLOCK_PX] != OUTSIDE
    reach = ZONE_MM / (METHOD_SPACING_MM * _BLOCK_PX)
    row, col, rows, cols = box
    cut = (row == 0, row + rows == shape[0]), (col == 0, col + cols == shape[1])
    skin = distance_transform_edt(_continued(coarse, cut))[1:-1, 1:-1] <= reach
    chest = np.zeros(coarse.shape, bool)
    depth = int(np.ceil(reach))
    for axis, (first, last) in enumerate(cut):
        lines = np.moveaxis(chest, axis, 0)
        if first:
            lines[:depth] = True
        if last:
            lines[-depth:] = True
    zones = np.where(skin, SKIN, np.where(chest, CHEST, INSIDE)).astype(np.uint8)
    return zones.repeat(_BLOCK_PX, 0).repeat(_BLOCK_PX, 1)[: labels.shape[0], : labels.shape[1]]


def _continued(coarse: np.ndarray, cut) -> np.ndarray:
    """Framed by a block of background, but of breast where the image cuts the breast off."""
    framed = coarse
    for axis, sides in enumerate(cut):
        for last, is_cut in enumerate(sides):
            width = [(0, 0), (0, 0)]
            width[axis] = (0, 1) if last else (1, 0)
            framed = np.pad(framed, width, mode="edge" if is_cut else "constant")
    return framed


def _within_patch(marked: np.ndarray, side: int) -> np.ndarray:
    """Where a patch of this side, centred, holds a marked pixel."""
    return maximum_filter(marked, side, mode="constant") if marked.any() else marked


def _near(marked: np.ndarray) -> np.ndarray:
    """Within NEAR_PX of a marked pixel, looked at only where there are any."""
    near = np.zeros_like(marked)
    rows, cols = np.ogrid[-NEAR_PX : NEAR_PX + 1, -NEAR_PX : NEAR_PX + 1]
    disc = rows**2 + cols**2 <= NEAR_PX**2
    for box in find_objects(marked.astype(np.uint8)):
        window = tuple(slice(max(0, s.start - NEAR_PX), s.stop + NEAR_PX) for s in box)
        near[window] = binary_dilation(marked[window], disc)
    return near
