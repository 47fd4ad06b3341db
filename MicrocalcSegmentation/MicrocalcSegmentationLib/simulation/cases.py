"""Whole simulated mammograms with every calcification known, and their files."""

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFont

from ..errors import InputError
from ..geometry import Geometry
from ..mammogram import Mammogram, Source
from . import acquisition, anatomy
from .calcifications import Placed
from .content import Contents, calcify
from .dicom_mg import Encoding, write_dicom_mg
from .insertion import Ground, Inserted, counted_mask, counts, insert
from .outline import VIEWS
from .outline import missing_cm as missing_cm_of
from .parenchyma import DENSITIES

GREY_RANGE = (0, acquisition.FULL_SCALE)
DENSITY_SHARES = (0.12, 0.38, 0.38, 0.12)  # BI-RADS A to D among women screened
KINDS = ("digital", "film")
# (spacing in mm, rows, cols) of common systems: Hologic, Fuji, Siemens, GE; and film scanners.
SYSTEMS = {
    "digital": ((0.07, 3328, 2560), (0.05, 4728, 3540), (0.085, 3518, 2800), (0.1, 2294, 1914)),
    "film": ((0.05, 4400, 2700), (0.0435, 4800, 3000)),
}


@dataclass(frozen=True)
class CaseOptions:
    """kind: "digital" or "film". spacing_mm, shape: None draws a common system's.

    clusters: how many; None draws 0 to 3. singles: isolated MCs; None draws.
    view: "CC" or "MLO". density: BI-RADS, "A" to "D". laterality: "L" or "R". None draws.
    raw: True gives a digital image for processing, in log attenuation. level: typical
    strength of clusters' MCs in deviations of the local texture; None draws for each.
    """

    kind: str = "digital"
    spacing_mm: float | None = None
    shape: tuple[int, int] | None = None
    clusters: int | None = None
    singles: int | None = None
    view: str | None = None
    density: str | None = None
    laterality: str | None = None
    raw: bool = False
    level: float | None = None


@dataclass(frozen=True)
class SimulatedCase:
    """labels: (rows, cols) int32, 0 or the number of the calcification there.

    calcifications: `Placed`, number 1 first, rows and columns as in the image.
    background: "simulated", or "real" where calcifications went into a real mammogram.
    """

    name: str
    mammogram: Mammogram
    labels: np.ndarray
    calcifications: tuple[Placed, ...]
    options: CaseOptions
    seed: int
    background: str = "simulated"

    @property
    def mask(self) -> np.ndarray:
        """(rows, cols) bool, the pixels of every MC that counts."""
        return counted_mask(self.labels, self.calcifications)

    @property
    def ignored(self) -> np.ndarray:
        """(rows, cols) bool, pixels of calcifications too faint to count, or benign."""
        return (self.labels > 0) & ~self.mask

    @property
    def drawn(self) -> np.ndarray:
        """(rows, cols) bool, pixels of every MC, whether anybody could see it or not."""
        return np.array([False, *(one.counted for one in self.calcifications)])[self.labels]


def simulate_case(seed: int, options: CaseOptions | None = None) -> SimulatedCase:
    """A mammogram with calcifications; the same seed and options give the same pixels.

    Simulated through and through: anatomy, texture, calcifications, exposure, processing
    and artefacts. Calcifications go into what the detector or film holds, before processing.
    Raises InputError for an option that is unknown.
    """
    options = options or CaseOptions()
    _require_known(options)
    rng = np.random.default_rng(seed)
    spacing, shape = _system(options, rng)
    view = options.view or str(rng.choice(VIEWS))
    density = options.density or str(rng.choice(DENSITIES, p=DENSITY_SHARES))
    laterality = options.laterality or str(rng.choice(["L", "R"]))
    size_mm = (shape[0] * spacing, shape[1] * spacing)
    breast = anatomy.plan(view, density, size_mm, rng)
    rendered = anatomy.render(breast, shape, spacing, rng)
    expose = acquisition.expose_film if options.kind == "film" else acquisition.expose_digital
    exposure = expose(rendered.attenuation, spacing, rng)
    usual = acquisition.USUAL_LEVEL[options.kind]
    contents = Contents(options.clusters, options.singles, options.level, usual)
    placed = calcify(breast, spacing, contents, rng)
    ground = Ground(exposure.values, rendered.breast, spacing, exposure.blur_px)
    inserted = insert(ground, placed, rng)
    missing_cm = anatomy.window_of(missing_cm_of(breast.outline), shape, spacing)
    place = rendered.breast, missing_cm
    image, framed = _developed(inserted, place, spacing, options, rng)
    labels, found = _in_sight(inserted, framed)
    inside = rendered.breast
    if laterality == "R":
        image, labels, inside = (np.ascontiguousarray(v[:, ::-1]) for v in (image, labels, inside))
        found = tuple(_mirrored(one, shape[1]) for one in found)
    if not options.raw:
        image = np.round(_with_label(image, inside, spacing, f"{laterality}{view}", rng))
    name = f"simulated-{options.kind}-{seed:06d}"
    mammogram = Mammogram(
        pixels=image.astype(np.float32),
        geometry=Geometry((spacing, spacing)),
        source=Source(name, spacing_from="simulation"),
        view=view,
        laterality=laterality,
        presentation="FOR PROCESSING" if options.raw else "FOR PRESENTATION",
    )
    return SimulatedCase(name, mammogram, labels, found, options, seed)


def _in_sight(inserted: Inserted, framed: np.ndarray) -> tuple[np.ndarray, tuple[Placed, ...]]:
    """Labels and calcifications without what lies under a frame, which nobody can see.

    framed: (rows,) bool. What reaches under it counts as too faint, as a whole.
    """
    hidden = set(np.unique(inserted.labels[framed]).tolist())
    labels = np.where(framed[:, None], 0, inserted.labels)
    found = (
        replace(one, snr=0.0) if number in hidden else one
        for number, one in enumerate(inserted.placed, 1)
    )
    return labels, tuple(found)


def _mirrored(placed: Placed, cols: int) -> Placed:
    angle = None if placed.angle is None else -placed.angle
    return replace(placed, col=cols - 1 - placed.col, angle=angle)


def _require_known(options: CaseOptions) -> None:
    known = {
        "kind": (options.kind, KINDS),
        "view": (options.view, (None, *VIEWS)),
        "density": (options.density, (None, *DENSITIES)),
        "laterality": (options.laterality, (None, "L", "R")),
    }
    for name, (value, values) in known.items():
        if value not in values:
            names = ", ".join(str(v) for v in values if v)
            raise InputError(f"{name} {value!r} is unknown; use one of: {names}")
    if options.raw and options.kind == "film":
        raise InputError("film has no image for processing; leave out raw, or make it digital")


def write_case(case: SimulatedCase, folder: Path, image_format: str = "dicom") -> dict[str, Path]:
    """Write a case; returns the paths of "image", "mask", "ignored" and "truth".

    image_format: "dicom" or "nrrd". `<name>_mask.nrrd` is 1 on MCs, `<name>_ignored.nrrd` on
    calcifications that do not count. The description, "truth", lists every calcification
    with its kind, group, place, size and strength.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = {
        "image": folder / f"{case.name}.{'dcm' if image_format == 'dicom' else 'nrrd'}",
        "mask": folder / f"{case.name}_mask.nrrd",
        "ignored": folder / f"{case.name}_ignored.nrrd",
        "truth": folder / f"{case.name}.json",
    }
    if image_format == "dicom":
        ours = case.background == "simulated" and not case.options.raw
        encoding = Encoding(grey_range=GREY_RANGE) if ours else Encoding(bits_stored=14)
        write_dicom_mg(paths["image"], case.mammogram, encoding, case.seed)
    else:
        pixels = case.mammogram.pixels
        whole = not case.options.raw and pixels.min() >= 0 and (pixels == np.round(pixels)).all()
        stored = pixels.astype(np.uint16) if whole and pixels.max() < 2**16 else pixels
        write_nrrd(stored, case.mammogram, paths["image"])
    write_nrrd(case.mask.astype(np.uint8), case.mammogram, paths["mask"])
    write_nrrd(case.ignored.astype(np.uint8), case.mammogram, paths["ignored"])
    paths["truth"].write_text(json.dumps(described(case), indent=2) + "\n", encoding="utf-8")
    return paths


def described(case: SimulatedCase) -> dict:
    """What is known of a case besides its pixels, JSON-able."""
    return {
        "seed": case.seed,
        "simulated": True,
        "background": case.background,
        "view": case.mammogram.view,
        "laterality": case.mammogram.laterality,
        "options": asdict(case.options),
        "calcifications": [describe(one) for one in case.calcifications],
    }


def describe(placed: Placed) -> dict:
    """One calcification, JSON-able. `counted`: whether the mask holds it."""
    return {
        "kind": placed.kind,
        "group": placed.group,
        "counted": counts(placed),
        "row": round(placed.row, 2),
        "col": round(placed.col, 2),
        "size_mm": round(placed.size_mm, 3),
        "strength": round(placed.strength, 2),
        "snr": round(placed.snr, 2),
    }


def _system(options: CaseOptions, rng) -> tuple[float, tuple[int, int]]:
    systems = SYSTEMS[options.kind]
    spacing, rows, cols = systems[rng.integers(len(systems))]
    if options.spacing_mm is not None:
        rows, cols = (round(size * spacing / options.spacing_mm) for size in (rows, cols))
        spacing = options.spacing_mm
    return spacing, options.shape or (rows, cols)


def _developed(inserted: Inserted, place, spacing: float, options: CaseOptions, rng):
    """Exposed values with the system's own artefacts, as the image is handed on.

    And (rows,) bool: those under the frame of a film's scanner.
    """
    inside, missing_cm = place
    unframed = np.zeros(len(inside), bool)
    values, deviation = inserted.pixels, inserted.deviation
    if options.kind == "film":
        area = values.size * spacing**2 / 2600  # damage is drawn per sheet of 26 cm2
        for _ in range(round(area)):
            values = acquisition.film_damage(values, deviation, spacing, rng, rate=0.25)
        values = acquisition.hot_pixels(values, deviation, rng.poisson(20), rng)
        grey = acquisition.digitised(values, rng)
        return _with_film_border(_with_beads(grey, inside, spacing, rng), rng)
    values = acquisition.hot_pixels(values, deviation, rng.poisson(4), rng)
    if options.raw:
        return values, unframed
    shown = acquisition.presented(values, inside, missing_cm, spacing, rng)
    return _with_beads(shown, inside, spacing, rng), unframed


def _with_beads(pixels: np.ndarray, inside: np.ndarray, spacing: float, rng) -> np.ndarray:
    """Metal markers stuck to the skin, on one breast of eight."""
    for _ in range(rng.integers(1, 3) if rng.random() < 0.12 else 0):
        pixels = acquisition.bead(pixels, inside, spacing, rng)
    return pixels


def _with_film_border(pixels: np.ndarray, rng) -> tuple[np.ndarray, np.ndarray]:
    out, framed = pixels.copy(), np.zeros(len(pixels), bool)
    for edge in (np.s_[: rng.integers(0, 40)], np.s_[out.shape[0] - rng.integers(1, 40) :]):
        out[edge] = rng.uniform(2500, acquisition.FULL_SCALE)
        framed[edge] = True
    return out, framed


def _with_label(pixels: np.ndarray, inside: np.ndarray, spacing: float, text: str, rng):
    """Burn the view's name into the air, in the upper corner away from the chest wall."""
    height = rng.uniform(4, 9) / spacing
    layer = Image.new("F", pixels.shape[::-1])
    left = 0.5 * height if text[0] == "R" else pixels.shape[1] - 3.5 * height
    pen = ImageDraw.Draw(layer)
    pen.text((left, height), text, fill=3600.0, font=ImageFont.load_default(height))
    return np.where(inside, pixels, np.maximum(pixels, np.asarray(layer)))


def write_nrrd(values: np.ndarray, mammogram: Mammogram, path: Path) -> None:
    """Write (rows, cols) values on the mammogram's grid, whole or not at all."""
    row_mm, col_mm = mammogram.geometry.spacing_mm
    image = sitk.GetImageFromArray(values[None])
    image.SetSpacing((col_mm, row_mm, mammogram.geometry.slice_thickness_mm))
    beside = path.with_name(f".{path.name}.part.nrrd")
    sitk.WriteImage(image, str(beside), useCompression=True)
    beside.replace(path)
