"""Whole simulated mammograms with every calcification known, and their files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from ..errors import InputError
from ..geometry import Geometry
from ..mammogram import Mammogram, Source
from ..normalisation import local_statistics
from . import acquisition, anatomy, calcifications
from .dicom_mg import Encoding, write_dicom_mg
from .insertion import insert

FULL_SCALE = 4095  # 12 bit, as most units store
AIR_LEVEL = 60
KINDS = ("digital", "film")
# (spacing in mm, rows, cols) of common systems: Hologic, Fuji, Siemens, GE; and film scanners.
SYSTEMS = {
    "digital": ((0.07, 3328, 2560), (0.05, 4728, 3540), (0.085, 3518, 2800), (0.1, 2294, 1914)),
    "film": ((0.05, 4400, 2700), (0.0435, 4800, 3000)),
}


@dataclass(frozen=True)
class CaseOptions:
    """kind: "digital" or "film". spacing_mm, shape: None draws a common system's.

    clusters: how many; None draws 0 to 3. singles: isolated calcifications; None draws.
    """

    kind: str = "digital"
    spacing_mm: float | None = None
    shape: tuple[int, int] | None = None
    clusters: int | None = None
    singles: int | None = None


@dataclass(frozen=True)
class SimulatedCase:
    """mask: (rows, cols) bool, the pixels of every MC that counts.

    faint: bool, pixels of calcifications below `insertion.LABEL_FROM`, which do not.
    """

    name: str
    mammogram: Mammogram
    mask: np.ndarray
    faint: np.ndarray
    options: CaseOptions
    seed: int


def simulate_case(seed: int, options: CaseOptions | None = None) -> SimulatedCase:
    """A craniocaudal mammogram with calcifications; the same seed gives the same pixels.

    Simulated through and through: a phantom's anatomy, random texture, strands, noise,
    calcifications and artefacts. Raises InputError for an unknown kind.
    """
    options = options or CaseOptions()
    if options.kind not in KINDS:
        raise InputError(f"kind {options.kind!r} is unknown; use one of: {', '.join(KINDS)}")
    rng = np.random.default_rng(seed)
    spacing, shape = _system(options, rng)
    breast = anatomy.breast(shape, spacing, rng)
    image = _exposed(breast, spacing, options.kind, rng)
    placed = _calcifications(breast.breast, spacing, options, rng)
    inserted = insert(image, breast.breast, spacing, placed, rng)
    image = _with_artefacts(inserted.pixels, breast.breast, spacing, options.kind, rng)
    laterality = "L" if rng.random() < 0.5 else "R"
    turned = [image, inserted.mask, inserted.faint, breast.breast]
    if laterality == "R":
        turned = [np.ascontiguousarray(values[:, ::-1]) for values in turned]
    turned[0] = _with_label(turned[0], turned[3], spacing, laterality)
    name = f"simulated-{options.kind}-{seed:06d}"
    mammogram = Mammogram(
        pixels=np.round(turned[0]).astype(np.float32),
        geometry=Geometry((spacing, spacing)),
        source=Source(name, spacing_from="simulation"),
        view="CC",
        laterality=laterality,
        presentation="FOR PRESENTATION",
    )
    return SimulatedCase(name, mammogram, turned[1], turned[2], options, seed)


def write_case(case: SimulatedCase, folder: Path, image_format: str = "dicom") -> dict[str, Path]:
    """Write image, mask and description; returns their paths by "image", "mask", "truth".

    image_format: "dicom" or "nrrd". The mask is `<name>_mask.nrrd`, 1 on MCs.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        "image": folder / f"{case.name}.{'dcm' if image_format == 'dicom' else 'nrrd'}",
        "mask": folder / f"{case.name}_mask.nrrd",
        "truth": folder / f"{case.name}.json",
    }
    if image_format == "dicom":
        write_dicom_mg(
            paths["image"], case.mammogram, Encoding(grey_range=(0, FULL_SCALE)), case.seed
        )
    else:
        _write_nrrd(case.mammogram.pixels.astype(np.uint16), case.mammogram, paths["image"])
    _write_nrrd(case.mask.astype(np.uint8), case.mammogram, paths["mask"])
    truth = {"seed": case.seed, "simulated": True, "options": asdict(case.options)}
    paths["truth"].write_text(json.dumps(truth, indent=2) + "\n", encoding="utf-8")
    return paths


def _system(options: CaseOptions, rng) -> tuple[float, tuple[int, int]]:
    systems = SYSTEMS[options.kind]
    spacing, rows, cols = systems[rng.integers(len(systems))]
    if options.spacing_mm is not None:
        rows, cols = (round(size * spacing / options.spacing_mm) for size in (rows, cols))
        spacing = options.spacing_mm
    return spacing, options.shape or (rows, cols)


def _exposed(breast: anatomy.Anatomy, spacing: float, kind: str, rng) -> np.ndarray:
    """Attenuation to grey values of 12 bit, noise included; air near `AIR_LEVEL`."""
    noise = acquisition.correlated_noise(breast.attenuation.shape, spacing, rng)
    quantum = np.exp(0.25 * breast.attenuation)  # fewer photons, more noise in the logarithm
    level = anatomy.DETAIL * rng.uniform(0.7, 1.4) * (0.6 if kind == "film" else 1.0)
    field = gaussian_filter(breast.attenuation, rng.uniform(0.4, 0.7)) + level * noise * quantum
    inner = field[breast.breast]
    low, high = np.percentile(inner, [1, 99.5])
    value = np.clip((field - low) / (high - low) * 0.8 + 0.12, 0.02, None)
    curve = value**0.8 if kind == "digital" else value**1.6 / (1 + 0.25 * value**2)
    grey = AIR_LEVEL + np.where(breast.breast, 3000 * curve, 0)
    return (grey + rng.normal(0, 3, field.shape)).astype(np.float32)


def _calcifications(inside, spacing: float, options: CaseOptions, rng):
    count = int(rng.choice(4, p=(0.3, 0.35, 0.2, 0.15)))
    count = count if options.clusters is None else options.clusters
    singles = rng.poisson(4) if options.singles is None else options.singles
    # Clusters at the rim would lose their MCs to the air.
    room = np.argwhere(anatomy.distance_to_air_mm(inside, spacing)[::8, ::8] > 8) * 8
    placed = calcifications.scattered(inside.shape, int(singles), rng)
    for _ in range(count):
        placed += calcifications.cluster(room[rng.integers(len(room))], spacing, rng)
    return placed


def _with_artefacts(pixels, inside, spacing: float, kind: str, rng) -> np.ndarray:
    _, deviation = local_statistics(pixels, inside, (spacing, spacing))
    pixels = acquisition.hot_pixels(pixels, deviation, rng.poisson(20), rng)
    if kind == "film":
        area = pixels.size * spacing**2 / 2600  # damage is drawn per sheet of 26 cm2
        for _ in range(round(area)):
            pixels = acquisition.film_damage(pixels, deviation, spacing, rng, rate=0.25)
        pixels = _with_film_border(pixels, rng)
    elif rng.random() < 0.5:
        sharp = acquisition.sharpened(pixels, spacing, rng)
        pixels = np.where(inside, sharp, pixels)
    return np.clip(pixels, 0, FULL_SCALE).astype(np.float32)


def _with_film_border(pixels: np.ndarray, rng) -> np.ndarray:
    out = pixels.copy()
    for edge in (np.s_[: rng.integers(0, 40)], np.s_[out.shape[0] - rng.integers(1, 40) :]):
        out[edge] = rng.uniform(2500, FULL_SCALE)
    return out


def _with_label(pixels: np.ndarray, inside: np.ndarray, spacing: float, laterality: str):
    """Burn the view's name into the air, in the upper corner away from the chest wall."""
    height = 8 / spacing
    layer = Image.new("F", pixels.shape[::-1])
    left = 0.5 * height if laterality == "R" else pixels.shape[1] - 3 * height
    pen = ImageDraw.Draw(layer)
    pen.text((left, height), f"{laterality}CC", fill=3600.0, font=ImageFont.load_default(height))
    return np.where(inside, pixels, np.maximum(pixels, np.asarray(layer)))


def _write_nrrd(values: np.ndarray, mammogram: Mammogram, path: Path) -> None:
    row_mm, col_mm = mammogram.geometry.spacing_mm
    image = sitk.GetImageFromArray(values[None])
    image.SetSpacing((col_mm, row_mm, mammogram.geometry.slice_thickness_mm))
    beside = path.with_name(f".{path.name}.part.nrrd")
    sitk.WriteImage(image, str(beside), useCompression=True)
    beside.replace(path)
