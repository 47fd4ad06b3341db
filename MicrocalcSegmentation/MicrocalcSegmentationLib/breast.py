"""Which pixels are breast: everything after this looks at nothing else.

The method (Valvano et al. 2019) takes Otsu's threshold. One threshold is not enough: it
lies halfway between air and dense gland, so it cuts off the fat under the skin; it takes
view labels and film borders for breast; and it cuts an image that holds no air in two.
Here Otsu is applied again to its own lower class, which brings the threshold down to the
skin line; the lower class must look like air, or all of the image is breast.
"""

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, median_filter
from skimage.filters import threshold_otsu

from .bands import in_bands
from .errors import InputError
from .mammogram import Mammogram
from .morphology import (
    bounding_box,
    connected_with,
    eroded,
    largest,
    near,
    opened,
    touching_border,
    without_small_holes,
)

# Chosen by eye on digitised film, digital images and crops without air.
COARSE_MM = 0.4  # a skin line has no finer shape; noise and dust are averaged away
BRIGHTEST_SHARE = 0.02  # labels and markers, clipped so that Otsu does not single them out
OTSU_STEPS = 3  # a corner of air in a crop only shows at the third
AIR_DEVIATIONS = 3.0  # air is a narrow peak: its threshold lies farther out than this
AIR_TEXTURE = 0.01  # of the step from air to tissue: 0 to 0.01 in air, above 0.02 in fat
EMPTY_TEXTURE = 0.001  # of the height of what stands out: even smooth fat has ten times more
SKIN_LINE = 0.04  # of the way from air to tissue: fat in a dense breast may be as dark
AIR_ROUGHNESS = 0.6  # of the tissue's own structure
AIR_MIN_MM2 = 10.0
STRAND_MM = 3.0  # half-width of what is taken off: letters, scratches, light leaks
HOLE_MM2 = 300.0
LEAK_MM = 10.0  # half-width of light leaks as dim as the skin line
RIM_MM = 10.0  # how far a nipple reaches out of the rest
CORNER_MM = 4.0  # what a disc of STRAND_MM leaves of a corner at the chest wall
SMOOTHING_MM = 1.0
FRAME_MM = 6.0  # deepest white border of a digitised film
FRAME_LENGTH_MM = 20.0
FRAME_EDGE_MM = 1.0  # its edge is that soft
FRAME_CONTRAST = 0.15  # of its height, is how far it drops to what lies beside it
BREAST_MIN_MM2 = 100.0


def breast_region(mammogram: Mammogram) -> np.ndarray:
    """The breast: the largest region brighter than air, by Otsu's threshold, holes filled.

    Returns (rows, cols) bool. Chest wall and pectoral muscle belong to it; padding, white
    film borders, labels and markers beside the breast do not. All of the image is breast
    where no air is seen.
    Raises InputError for a constant image and where no breast is found.
    """
    valid = mammogram.valid
    inner = mammogram.pixels if valid is None else mammogram.pixels[valid]
    if inner.size == 0 or inner.min() == inner.max():
        raise InputError(
            f"{mammogram.source.name}: all pixels are equal; give an image with a breast in it"
        )
    block = tuple(max(1, round(COARSE_MM / spacing)) for spacing in mammogram.spacing_mm)
    step_mm = tuple(b * spacing for b, spacing in zip(block, mammogram.spacing_mm, strict=True))
    coarse, usable = _reduced(mammogram.pixels, valid, block)
    usable &= ~_frame(coarse, usable, step_mm)
    levels = _air_levels(coarse, usable, step_mm)
    if levels is None:
        region = largest(usable)
    else:
        region = _grown(coarse, usable, levels, step_mm)
        if region.sum() * step_mm[0] * step_mm[1] < BREAST_MIN_MM2:
            raise InputError(
                f"{mammogram.source.name}: no breast was found, nothing as large stands out of "
                "the background; check that this is a mammogram, and its spacing"
            )
    full = _full_size(region, block, mammogram.pixels.shape)
    return full if valid is None else full & valid


def _reduced(
    pixels: np.ndarray, valid: np.ndarray | None, block: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Block means of the valid pixels, and where at least half of a block is valid."""
    starts = [np.arange(0, size, b) for size, b in zip(pixels.shape, block, strict=True)]
    # The last blocks may be partial: sums over what there is of them.
    area = np.outer(*(np.diff(s, append=n) for s, n in zip(starts, pixels.shape, strict=True)))
    if valid is None:
        return (_block_sums(pixels, starts) / area).astype(np.float32), np.ones(area.shape, bool)
    count = _block_sums(valid.astype(np.float32), starts)
    total = _block_sums(np.where(valid, pixels, np.float32(0)), starts)
    return (total / np.maximum(count, 1)).astype(np.float32), count >= area / 2


def _block_sums(values: np.ndarray, starts: list) -> np.ndarray:
    rows, cols = starts
    ends = np.append(rows[1:], len(values))
    sums = np.empty((len(rows), len(cols)), np.float32)

    def add(band: slice) -> None:
        part = values[rows[band.start] : ends[band.stop - 1]]
        lines = np.add.reduceat(part, rows[band] - rows[band.start], axis=0)
        sums[band] = np.add.reduceat(lines, cols, axis=1)

    in_bands(len(rows), add, -(-len(values) // len(rows)))
    return sums


def _frame(coarse: np.ndarray, usable: np.ndarray, step_mm: tuple[float, float]) -> np.ndarray:
    """White borders of a digitised film: thin, sharp, and straight along the image's edge."""
    frame = np.zeros(coarse.shape, bool)
    inner = tuple(slice(2 * d, -2 * d) for d in (round(FRAME_MM / step) for step in step_mm))
    if not usable[inner].any():
        return frame
    height = np.where(usable, coarse - coarse[usable].min(), 0)
    white = np.quantile(height[inner][usable[inner]], 1 - BRIGHTEST_SHARE)
    for axis in (0, 1):
        for turn in (slice(None), slice(None, None, -1)):
            lines, marked = (np.moveaxis(a, axis, 0)[turn] for a in (height, frame))
            reach = _frame_reach(lines, white, step_mm[axis], step_mm[1 - axis])
            marked |= np.arange(len(lines))[:, None] < reach
    return frame


def _frame_reach(lines: np.ndarray, white: float, across_mm: float, along_mm: float) -> np.ndarray:
    """How many lines, from the first, the frame takes at each place along them; 0 for none."""
    depth = round(FRAME_MM / across_mm)
    soft = max(1, round(FRAME_EDGE_MM / across_mm))
    drop = lines[:depth] - lines[soft : depth + soft]
    end = drop.argmax(axis=0)
    within = np.arange(depth)[:, None] <= end
    level = (lines[:depth] * within).sum(axis=0) / within.sum(axis=0)
    length = 2 * round(FRAME_LENGTH_MM / along_mm / 4) + 1
    straight = median_filter(end, length, mode="nearest")
    found = (level > white) & (drop.max(axis=0) > FRAME_CONTRAST * level)
    found &= np.abs(end - straight) <= 1
    lasting = median_filter(found.astype(np.uint8), length, mode="nearest") > 0
    if lasting.sum() * along_mm < FRAME_LENGTH_MM:
        return np.zeros(found.shape, int)
    return np.where(lasting, straight + 1 + soft, 0)


def _air_levels(
    coarse: np.ndarray, usable: np.ndarray, step_mm: tuple[float, float]
) -> tuple[float, float] | None:
    """Grey levels above which a pixel is breast for certain, and skin line; None without air."""
    clipped = np.minimum(coarse, np.quantile(coarse[usable], 1 - BRIGHTEST_SHARE))
    texture = _texture(clipped, step_mm)
    # Nothing but the brightest few pixels, such as a label, on flat air.
    height = coarse[usable].max() - np.median(coarse[usable])
    if np.quantile(texture[usable], 0.9) <= EMPTY_TEXTURE * height:
        return np.inf, np.inf
    thresholds = [np.inf]
    for _ in range(OTSU_STEPS + 2):
        thresholds.append(_otsu_below(clipped[usable], thresholds[-1]))
    tops = {}
    for step in range(1, OTSU_STEPS + 1):
        darker = touching_border(usable & (clipped < thresholds[step]))
        tops[step] = _top_of_air(darker, usable, clipped, texture, step_mm)
    airy = [step for step, top in tops.items() if top < thresholds[step]]
    if not airy:
        return None
    # A class that holds fat beside the air is wider than the air in it.
    top = min(tops[step] for step in airy)
    certain, skin_line = thresholds[airy[0] + 1 : airy[0] + 3]
    air = np.median(clipped[usable & (clipped <= top)])
    tissue = np.median(clipped[usable & (clipped >= certain)])
    skin_line = min(skin_line, air + SKIN_LINE * (tissue - air))
    return max(top, certain), max(top, skin_line)


def _top_of_air(
    darker: np.ndarray,
    usable: np.ndarray,
    coarse: np.ndarray,
    texture: np.ndarray,
    step_mm: tuple[float, float],
) -> float:
    """The grey level at which the air in a darker class ends; inf where there is none.

    Air has no structure of its own, set against its contrast to the rest.
    """
    if not darker.any():
        return np.inf
    level = float(np.median(coarse[darker]))
    deviation = 1.4826 * float(np.median(np.abs(coarse[darker] - level)))
    top = level + AIR_DEVIATIONS * deviation
    air = darker & (coarse <= top)
    tissue = usable & ~air
    inner = eroded(air, 1.0, step_mm)
    if inner.sum() * step_mm[0] * step_mm[1] < AIR_MIN_MM2 or not tissue.any():
        return np.inf
    contrast = np.median(coarse[tissue]) - level
    structure = np.median(texture[inner])
    beside = texture[eroded(tissue, 1.0, step_mm)]
    # In a crop of smooth fat and a bright mass, both are as smooth.
    is_flat = beside.size == 0 or structure < AIR_ROUGHNESS * np.median(beside)
    return top if is_flat and structure < AIR_TEXTURE * contrast else np.inf


def _otsu_below(values: np.ndarray, ceiling: float) -> float:
    """Otsu's threshold of the values below a ceiling; the ceiling where they are all alike."""
    lower = values[values < ceiling]
    if lower.size == 0 or lower.min() == lower.max():
        return ceiling
    return float(threshold_otsu(lower))


def _texture(coarse: np.ndarray, step_mm: tuple[float, float]) -> np.ndarray:
    """Structure between about 1 and 3 mm, which tissue has and air has not."""
    fine, wide = ([mm / step for step in step_mm] for mm in (0.8, 2.5))
    return np.abs(gaussian_filter(coarse, fine) - gaussian_filter(coarse, wide))


def _grown(
    coarse: np.ndarray,
    usable: np.ndarray,
    levels: tuple[float, float],
    step_mm: tuple[float, float],
) -> np.ndarray:
    """The largest certain region without strands, grown out to the skin line, smooth."""
    certain, skin_line = levels
    core = usable & (coarse >= certain)
    core = largest(
        opened(without_small_holes(core, HOLE_MM2, step_mm) & usable, STRAND_MM, step_mm)
    )
    if not core.any():
        return core
    dim = usable & without_small_holes(core | (coarse >= skin_line), HOLE_MM2, step_mm)
    # Dim fat reaches far from the core, and is wide; a light leak along the film's edge is not.
    wide = connected_with(core, core | opened(dim, LEAK_MM, step_mm))
    # A letter that touches the skin is bright, a nipple is not.
    close = near(wide, np.where(coarse >= certain, CORNER_MM, RIM_MM), step_mm)
    grown = connected_with(core, wide | (dim & close))
    sigma = [SMOOTHING_MM / step for step in step_mm]
    smooth = gaussian_filter(grown.astype(np.float32), sigma, mode="nearest") >= 0.5
    return largest(without_small_holes(smooth, np.inf, step_mm) & usable)


def _full_size(region: np.ndarray, block: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    full = np.zeros([size * b for size, b in zip(region.shape, block, strict=True)], bool)
    if not region.any():
        return full[: shape[0], : shape[1]]
    # Interpolation reaches one block beyond the region and no farther.
    near = bounding_box(region, (2, 2))
    part = np.where(region[near], np.uint8(255), np.uint8(0))
    rows, cols = (size * b for size, b in zip(part.shape, block, strict=True))
    # 8-bit interpolation takes a tenth of the time of floats, and the edge is as smooth.
    image = Image.fromarray(part).resize((cols, rows), Image.Resampling.BILINEAR)
    first = [side.start * b for side, b in zip(near, block, strict=True)]
    full[first[0] : first[0] + rows, first[1] : first[1] + cols] = np.asarray(image) >= 128
    return full[: shape[0], : shape[1]]
