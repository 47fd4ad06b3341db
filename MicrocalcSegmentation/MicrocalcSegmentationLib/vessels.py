"""Calcified arteries in the image, by the answers of the network that knows them.

The network is shown the breast at 0.1 mm, twice the pixel of the method's two, so that a patch
of 49 is 5 mm of a vessel, and says whether a calcified artery runs through the patch's middle.
It is asked every 0.4 mm, and only where calcifications lie that may be plaques. Not part of
the published method, which names vascular calcifications as work to come.
"""

import numpy as np
from scipy.ndimage import binary_dilation, binary_erosion, label, maximum_filter
from scipy.spatial import KDTree

from .calcifications import joined
from .settings import METHOD_SPACING_MM

HALF = 2  # pixels of 0.05 mm in one of the network's
STEP_PX = 8  # pixels of 0.05 mm between answers
STEP_MM = STEP_PX * METHOD_SPACING_MM
LINK_MM = 5.0  # between neighbours of a chain: plaques come and go along a vessel
FEWEST_TO_LOOK = 3  # candidates near one another
AROUND_MM = 8.0  # of a chain of candidates: where the network is asked
EDGE_MM = 1.6  # the rims of breast and film are long and bright, and no artery by themselves
GAP_MM = 2.4  # that an artery may have, where it bends or has less calcium
SHORTEST_MM = 10.0
_DIRECTIONS = np.stack([f(np.arange(16) * np.pi / 16) for f in (np.sin, np.cos)])


def halved(values: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """The normalised breast at 0.1 mm, float32; 0 where less than half of a pixel is breast."""
    breast = summed(inside.view(np.uint8)) >= HALF**2 / 2
    return summed(values.astype(np.float32, copy=False)) / np.float32(HALF**2) * breast


def summed(values: np.ndarray) -> np.ndarray:
    """Sums over squares of 2 x 2; a last odd row or column is left out."""
    rows, cols = (size // HALF * HALF for size in values.shape)
    # Ten times as fast as a sum over axes of two, and the same to the last bit.
    by_col = values[:rows, 0:cols:HALF] + values[:rows, 1:cols:HALF]
    return by_col[0::HALF] + by_col[1::HALF]


def on_lattice(values: np.ndarray, pixel_px: int = 1) -> np.ndarray:
    """(r, c) an image's values where answers are; of pixels of so many times 0.05 mm.

    What `halved` leaves out has none.
    """
    half, step = HALF // pixel_px, STEP_PX // pixel_px
    rows, cols = (size // half * half for size in values.shape)
    return values[:rows:step, :cols:step]


def where_to_look(places_px: np.ndarray, inside: np.ndarray) -> np.ndarray:
    """(r, c) bool: which answers are asked for, one for every 8 pixels of 0.05 mm each way.

    places_px: (n, 2) candidates, in such pixels. inside: (r, c) bool, breast (`on_lattice`).
    """
    near = np.zeros(inside.shape, bool)
    cells = (places_px // STEP_PX).astype(int)
    for linked in chains(places_px * METHOD_SPACING_MM, FEWEST_TO_LOOK):
        near[tuple(np.minimum(cells[linked], np.array(near.shape) - 1).T)] = True
    if not near.any():
        return near
    return maximum_filter(near, 2 * round(AROUND_MM / STEP_MM) + 1) & inside


def arteries_in(answers: np.ndarray, inside: np.ndarray, threshold: float) -> list[np.ndarray]:
    """Where calcified arteries run, each (n, 2) pixels of 0.05 mm.

    answers: (r, c) float32, the network's probability where it was asked, 0 elsewhere.
    inside: (r, c) bool, breast.
    """
    seen = answers >= threshold
    if not seen.any():
        return []
    within = binary_erosion(inside, iterations=round(EDGE_MM / STEP_MM))
    grown = binary_dilation(seen, np.ones((3, 3)), round(GAP_MM / STEP_MM / 2))
    regions, count = label(grown, np.ones((3, 3)))
    places = np.argwhere(seen)
    numbers, inner = regions[seen], within[seen]
    parts = [(places[numbers == one], inner[numbers == one]) for one in range(1, count + 1)]
    return [
        part * float(STEP_PX)
        for part, inner in parts
        if inner.any() and reach(part[inner]) * STEP_MM >= SHORTEST_MM
    ]


def chains(positions_mm: np.ndarray, fewest: int) -> list[np.ndarray]:
    """Sets of indices of calcifications, so many or more, linked by steps of at most `LINK_MM`."""
    count = len(positions_mm)
    if count < fewest:
        return []
    pairs = KDTree(positions_mm).query_pairs(LINK_MM, output_type="ndarray")
    component = joined(count, *pairs.T)
    order = np.argsort(component, kind="stable")
    sets = np.split(order, np.flatnonzero(np.diff(component[order])) + 1)
    return [members for members in sets if len(members) >= fewest]


def reach(places: np.ndarray) -> float:
    """The distance between the ends of (n, 2) places: the longest of 16 directions."""
    return float(np.ptp(places @ _DIRECTIONS, axis=0).max())
