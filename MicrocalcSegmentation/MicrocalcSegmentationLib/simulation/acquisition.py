"""From attenuation to pixels: blur, noise and processing of digital and film systems."""

from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw
from scipy.ndimage import gaussian_filter

from ..bands import in_bands
from ..resampling import wide_blur
from . import calcifications
from .texture import coloured_noise, random_curve

FULL_SCALE = 4095  # 12 bit, as most units store
# Of clusters, as `calcifications.USUAL_LEVEL`: on film grain hides more of them.
USUAL_LEVEL = {"digital": calcifications.USUAL_LEVEL, "film": (2.7, 0.97, 0.4)}


@dataclass(frozen=True)
class Exposure:
    """What a system measured, before calcifications and processing.

    values: (rows, cols) float32, brighter is denser: -log(signal) of a digital detector,
    or brightness of a film (its highest optical density minus its own).
    blur_px: Gaussian radius of the system's own blur, which a calcification shares.
    """

    values: np.ndarray
    blur_px: float


def expose_digital(attenuation: np.ndarray, spacing_mm: float, rng) -> Exposure:
    """A flat-panel detector: Gaussian MTF, photon noise that grows where few arrive.

    The MTF falls to half between 2.8 /mm, measured on one FFDM unit, and 6 /mm, as direct
    converters reach: sigma = 0.187 / f. Noise is coloured less than the tissue.
    """
    blur_mm = 0.187 / np.exp(rng.uniform(np.log(2.8), np.log(6.0)))
    signal = gaussian_filter(np.exp(-attenuation), blur_mm / spacing_mm, truncate=3.0)
    typical = np.exp(-np.median(attenuation[::16, ::16][attenuation[::16, ::16] > 0]))
    # Of one exposure, a smaller pixel holds fewer photons.
    level = rng.uniform(0.0179, 0.029) * min(0.07 / spacing_mm, 1.5)
    noise = correlated_noise(attenuation.shape, spacing_mm, rng, (0.85, 1.45))
    noise *= np.float32(level) * np.sqrt(np.float32(typical) / signal)
    return Exposure(noise - np.log(signal), float(blur_mm / spacing_mm))


def expose_film(attenuation: np.ndarray, spacing_mm: float, rng) -> Exposure:
    """A screen-film system and its scanner: characteristic curve, mottle, grain, drift.

    Optical density follows a logistic curve over log exposure, at most 3.2 to 4.0, with
    a gradient of 2.6 to 3.8 at its middle.
    """
    blur_mm = rng.uniform(0.045, 0.075)
    log_exposure = -gaussian_filter(attenuation, blur_mm / spacing_mm, truncate=3.0)
    level = rng.uniform(0.0222, 0.0344)
    grain = (0.4, rng.uniform(1.5, 1.9), 1.2)  # mottle is flat below 1.2 /mm
    noise = coloured_noise(attenuation.shape, spacing_mm, grain, rng)
    log_exposure += np.float32(level) * noise
    tissue = log_exposure[::16, ::16][attenuation[::16, ::16] > 0.3]
    middle = np.float32(np.percentile(tissue, 45) + rng.uniform(-0.3, 0.2))
    highest = np.float32(rng.uniform(3.2, 4.0))
    steepness = np.float32(4 * rng.uniform(2.6, 3.8) / 2.303 / highest)
    bright = highest / (1 + np.exp(steepness * (log_exposure - middle)))
    bright += np.float32(rng.uniform(0.0738, 0.1086)) * noise
    bright += _drift(attenuation.shape, rng)[None]
    return Exposure(bright.astype(np.float32), float(blur_mm / spacing_mm))


def _drift(shape: tuple[int, int], rng) -> np.ndarray:
    """(cols,) float32: the scanner's columns differ a little, some lines more."""
    columns = rng.normal(0, 0.0015, shape[1])
    for _ in range(rng.poisson(1)):
        columns[rng.integers(shape[1])] += rng.normal(0, 0.01)
    return columns.astype(np.float32)


def presented(
    values: np.ndarray, inside: np.ndarray, missing_cm: np.ndarray, spacing_mm: float, rng
) -> np.ndarray:
    """-log(signal) as a vendor would show it: (rows, cols) float32 in 0..4095, air 0.

    The thinner rim is levelled by most of the fat that it lacks, what is wider than some
    millimetres flattened to about a half, fine detail enhanced, and an S-shaped curve
    laid over. Both shares are set so that spectra fall as on real images for presentation.
    missing_cm: (rows, cols), how much thinner the breast is there.
    """
    levelled = values + np.float32(rng.uniform(0.35, 0.45)) * missing_cm
    # Air lies on a level with the breast, or the rim would shine.
    levelled[~inside] = np.median(levelled[::8, ::8][inside[::8, ::8]])
    levelled -= np.float32(rng.uniform(0.45, 0.59)) * wide_blur(levelled, 1.6 / spacing_mm)
    levelled = sharpened(levelled, spacing_mm, rng, (0.35, 0.8), (0.47, 1.0))
    inner = levelled[::8, ::8][inside[::8, ::8]]
    low, middle, high = np.percentile(inner, [3, 45, 99.5])
    centre = middle + rng.uniform(0.18, 0.55) * (high - middle)
    width = (high - low) * rng.uniform(0.18, 0.3)
    white = FULL_SCALE * rng.uniform(0.85, 1.0)
    grey = np.empty(levelled.shape, np.float32)

    def show(band: slice) -> None:
        shown = 1 / (1 + np.exp(-(levelled[band] - centre) / np.float32(width)))
        grey[band] = np.where(inside[band], white * shown, 0)

    in_bands(len(grey), show)
    return grey


def digitised(values: np.ndarray, rng) -> np.ndarray:
    """Film brightness as a 12-bit scanner stores it: (rows, cols) float32 in 0..4095."""
    values = np.clip(values * (FULL_SCALE / 4.1) + rng.uniform(20, 120), 0, FULL_SCALE)
    return values.astype(np.float32)


def correlated_noise(
    shape: tuple[int, int], spacing_mm: float, rng, slopes: tuple[float, float] = (0.2, 1.6)
) -> np.ndarray:
    """Noise of deviation 1 whose spectrum falls slowly, as behind a real detector."""
    slope = rng.uniform(*slopes)
    return coloured_noise(shape, spacing_mm, (slope, slope, 1.0), rng)


def noisy(field: np.ndarray, spacing_mm: float, level: float, rng) -> np.ndarray:
    """Add correlated noise, somewhat stronger where the field is bright.

    level: standard deviation of the noise over that of the field's own detail below 1 mm;
    on five real digital mammograms 0.6 to 1.4.
    """
    detail = field - wide_blur(field, 1.0 / spacing_mm)
    noise = correlated_noise(field.shape, spacing_mm, rng)
    bright = (field - field.mean()) / max(float(field.std()), 1e-9)
    noise *= np.clip(1 + rng.uniform(-0.1, 0.25) * bright, 0.4, 2.5)
    return field + np.float32(level * detail.std()) * noise


def sharpened(
    pixels: np.ndarray, spacing_mm: float, rng, widths_mm=(0.1, 0.6), gains=(0.3, 1.5)
) -> np.ndarray:
    """Edge enhancement as vendors apply to images for presentation."""
    width = rng.uniform(*widths_mm) / spacing_mm
    return pixels + np.float32(rng.uniform(*gains)) * (pixels - wide_blur(pixels, width))


def hot_pixels(pixels: np.ndarray, deviation: np.ndarray, count: int, rng) -> np.ndarray:
    """Bright single pixels (detector defects, emulsion specks) of 2 to 10 deviations."""
    out = pixels.copy()
    rows, cols = (rng.integers(0, size, count) for size in pixels.shape)
    out[rows, cols] += rng.uniform(2, 10, count).astype(np.float32) * deviation[rows, cols]
    return out


def film_damage(
    pixels: np.ndarray, deviation: np.ndarray, spacing_mm: float, rng, rate: float = 1.0
) -> np.ndarray:
    """Scratches, fibres and dust of sharp edges lying on the film, bright or dark.

    rate: how many; 1 is a film in poor state, about one flaw on 3 cm2.
    """
    flaws = [_fibre(pixels.shape, spacing_mm, rng) for _ in range(rng.poisson(3 * rate))]
    flaws += [_scratch(pixels.shape, spacing_mm, rng) for _ in range(rng.poisson(2 * rate))]
    flaws += [_dust(pixels.shape, rng) for _ in range(rng.poisson(4 * rate))]
    sign = 1 if rng.random() < 0.8 else -1
    softness = rng.uniform(0.2, 0.5)
    out = pixels.copy()
    for flaw in flaws:
        window, drawn = _drawn(flaw, pixels.shape)
        out[window] += sign * gaussian_filter(drawn, softness) * deviation[window]
    return out


@dataclass(frozen=True)
class _Flaw:
    """points: (n, 2) pixels (row, col). height: in deviations. width: of its line in pixels,
    0 for a filled shape.
    """

    points: np.ndarray
    height: float
    width: int


def _fibre(shape: tuple[int, int], spacing_mm: float, rng) -> _Flaw:
    points = random_curve(shape, spacing_mm, rng, (1.5, 12.0))
    return _Flaw(points, rng.uniform(2, 12), int(rng.integers(1, 4)))


def _scratch(shape: tuple[int, int], spacing_mm: float, rng) -> _Flaw:
    start = rng.uniform(0, 1, 2) * shape
    stop = start + rng.normal(0, 1, 2) * 6 / spacing_mm
    return _Flaw(np.stack([start, stop]), rng.uniform(2, 9), 1)


def _dust(shape: tuple[int, int], rng) -> _Flaw:
    """An angular chip of 2 to 6 pixels across."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 5))
    radii = rng.uniform(0.5, 3.0, 5)
    corners = np.stack([np.cos(angles), np.sin(angles)], axis=1) * radii[:, None]
    return _Flaw(rng.uniform(0, 1, 2) * shape + corners, rng.uniform(4, 20), 0)


def _drawn(flaw: _Flaw, shape: tuple[int, int]) -> tuple[tuple[slice, slice], np.ndarray]:
    """The window of the image that a flaw touches, and its (rows, cols) float32 heights there."""
    reach = flaw.width + 4  # beyond its points: half its width and the blur
    first = np.clip(np.floor(flaw.points.min(axis=0)).astype(int) - reach, 0, shape)
    last = np.clip(np.ceil(flaw.points.max(axis=0)).astype(int) + reach, first, shape)
    canvas = Image.new("F", tuple((last - first)[::-1].tolist()))
    points = [tuple(point) for point in (flaw.points - first)[:, ::-1]]
    pen = ImageDraw.Draw(canvas)
    if flaw.width:
        pen.line(points, fill=float(flaw.height), width=flaw.width)
    else:
        pen.polygon(points, fill=float(flaw.height))
    return (slice(first[0], last[0]), slice(first[1], last[1])), np.asarray(canvas)


def bead(pixels: np.ndarray, inside: np.ndarray, spacing_mm: float, rng) -> np.ndarray:
    """A skin marker: a metal bead of 1 to 2 mm within the breast, saturated and sharp."""
    room = np.argwhere(inside[::16, ::16]) * 16
    if len(room) == 0:
        return pixels
    centre = room[rng.integers(len(room))] + rng.uniform(0, 16, 2)
    rows, cols = np.ogrid[: pixels.shape[0], : pixels.shape[1]]
    distance_mm = np.hypot(rows - centre[0], cols - centre[1]) * spacing_mm
    disc = np.clip((rng.uniform(0.5, 1.0) - distance_mm) / spacing_mm + 0.5, 0, 1)
    level = float(pixels.max())
    return (pixels + (level - pixels) * disc).astype(np.float32)
