"""Intensities as the networks see them: in units of the local fine texture.

Grey levels differ between vendors, between raw and processed images, and between
digital and film. What stays comparable is how far a speck stands out of its
surroundings: (pixel - local mean) / local deviation of the fine texture. The paper
does not state its normalisation; this one and its widths are our declared choice.
"""

from dataclasses import dataclass
from functools import partial

import numpy as np

from .bands import Here, at_once, in_bands_of
from .medians import median
from .resampling import coarse_blur

MEAN_SIGMA_MM = 1.0  # what is wider than this is anatomy, not an MC (0.1 - 1 mm)
FINE_SIGMA_MM = 0.25  # median MC diameter on real digital mammograms is 0.24 mm
TEXTURE_SIGMA_MM = 2.5  # half the side of a 49 x 49 patch is 1.2 mm
DEVIATION_FLOOR = 0.2  # of the image's median deviation; saturated areas have none
SOFT_LIMIT = 5.0  # deviations; beyond, differences are compressed logarithmically

_GAUSSIAN_DEVIATION = np.sqrt(np.pi / 2)  # standard over mean absolute deviation


def local_statistics(
    pixels: np.ndarray, inside: np.ndarray, spacing_mm: tuple[float, float]
) -> tuple[np.ndarray, np.ndarray]:
    """Local mean and local deviation of the fine texture, from pixels inside only.

    pixels: (rows, cols) float32; inside: bool of the same shape.
    Returns two float32 arrays of that shape. The deviation is 1.25 times the mean
    absolute difference from the 0.25 mm smoothed image, which for Gaussian texture is
    its standard deviation, and which a few bright calcifications hardly raise.
    """
    weight = inside.astype(np.float32)
    fine = np.zeros(pixels.shape, np.float32)

    def take(here: Here) -> None:
        np.copyto(fine[here], pixels[here], where=inside[here])

    in_bands_of(inside, take)
    mean = _average(fine, weight, inside, MEAN_SIGMA_MM / np.asarray(spacing_mm))

    # Taking the mean off first keeps the edge of the breast from counting as texture.
    def without_mean(here: Here) -> None:
        fine[here] -= mean[here]
        fine[here] *= weight[here]

    in_bands_of(inside, without_mean)
    smooth = _average(fine, weight, inside, FINE_SIGMA_MM / np.asarray(spacing_mm))

    def deviating(here: Here) -> None:
        fine[here] -= smooth[here]
        fine[here] *= weight[here]
        np.abs(fine[here], out=fine[here])

    in_bands_of(inside, deviating)
    deviation = _average(fine, weight, inside, TEXTURE_SIGMA_MM / np.asarray(spacing_mm))
    deviation *= _GAUSSIAN_DEVIATION
    typical = float(median(deviation[inside])) if inside.any() else 0.0
    floor = DEVIATION_FLOOR * typical if typical > 0 else 1.0
    return mean, np.maximum(deviation, np.float32(floor), out=deviation)


@dataclass(frozen=True)
class Normalised:
    """values: (rows, cols) float32 for the networks, 0 outside the breast.

    deviation: (rows, cols) float32, the local deviation in the image's own units.
    """

    values: np.ndarray
    deviation: np.ndarray


def normalise(
    pixels: np.ndarray, inside: np.ndarray, spacing_mm: tuple[float, float]
) -> Normalised:
    """The image in local deviations above its local mean.

    Linear up to about `SOFT_LIMIT`, logarithmic beyond, so that a large calcification
    does not drown a small one in the same patch. Arguments as of `local_statistics`.
    """
    mean, deviation = local_statistics(pixels, inside, spacing_mm)
    values = mean  # in its place: a whole mammogram's arrays are large

    def scale(here: Here) -> None:
        height = (pixels[here] - mean[here]) / (SOFT_LIMIT * deviation[here])
        values[here] = np.where(inside[here], SOFT_LIMIT * _arcsinh(height), 0)

    in_bands_of(inside, scale)
    return Normalised(values, deviation)


def _arcsinh(values: np.ndarray) -> np.ndarray:
    """As exact as NumPy's in float32, to 2e-7, from operations that it has vectorised."""
    size = np.abs(values)
    root = np.square(size)
    root += 1
    np.sqrt(root, out=root)
    root += size
    return np.copysign(np.log(root, out=root), values, out=root)


def _average(
    values: np.ndarray, weight: np.ndarray, inside: np.ndarray, sigma_px: np.ndarray
) -> np.ndarray:
    """Gaussian mean of values (already 0 where weight is 0) over the weighted pixels.

    0 in what `in_bands_of` leaves out of the breast's surroundings.
    """
    above, below = at_once(*(partial(coarse_blur, image, sigma_px) for image in (values, weight)))
    average = np.zeros(values.shape, np.float32)

    def divide(here: Here) -> None:
        weights = below.part(*here)
        np.maximum(weights, 1e-6, out=weights)
        np.divide(above.part(*here), weights, out=average[here])

    in_bands_of(inside, divide)
    return average
