"""Images with their true MC masks: simulated ones, or a folder of the user's."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK

from ..errors import InputError
from ..mammogram import Mammogram
from ..reading import read_mammogram
from ..simulation.cases import KINDS, CaseOptions, simulate_case
from ..simulation.plan import TEST_SEED_START
from ..simulation.version import SIMULATION_VERSION
from .patients import patient_of
from .scores import CaseName

MASK_SUFFIX = "_mask"
MASK_TYPES = (".nrrd", ".png")
DESCRIPTION_TYPE = ".json"  # what `microcalc simulate` says about an image, beside it
UNSTATED = "unstated"

Load = Callable[[], tuple[Mammogram, np.ndarray]]


@dataclass(frozen=True)
class Case:
    """One image to evaluate.

    identity: what the image was made or read from; equal identities are equal images.
    load: gives the mammogram and its truth, (rows, cols) bool; may raise InputError.
    """

    name: CaseName
    identity: dict[str, str | int | float]
    load: Load


def simulated_cases(count: int, seed: int = 0, kinds: tuple[str, ...] = KINDS) -> list[Case]:
    """Test mammograms, the kinds taking turns. seed: from 0; each starts another set."""
    return [
        _simulated(TEST_SEED_START + seed * 10_000 + i, kinds[i % len(kinds)]) for i in range(count)
    ]


def _simulated(seed: int, kind: str) -> Case:
    def load():
        case = simulate_case(seed, CaseOptions(kind=kind))
        return case.mammogram, case.mask

    name = f"simulated-{kind}-{seed}"
    identity = {"simulated": kind, "seed": seed, "simulation_version": SIMULATION_VERSION}
    return Case(CaseName(name, patient=name, kind=kind, data="simulated"), identity, load)


def folder_cases(folder: Path, spacing_mm: tuple[float, float] | None = None) -> list[Case]:
    """Every image of a folder that has its mask, `<name>_mask.nrrd` or `.png`, beside it.

    Images without a mask are passed over. spacing_mm: for images that do not state it.
    Raises InputError when the folder holds no such pair.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of test cases; give one that exists")
    pairs = [(image, mask) for mask in _masks_in(folder) if (image := _image_of(mask))]
    cases = [_from_files(image, mask, spacing_mm) for image, mask in pairs]
    if not cases:
        raise InputError(
            f"{folder}: no image with its mask; put <name>{MASK_SUFFIX}.nrrd or "
            f"<name>{MASK_SUFFIX}.png beside each <name>.dcm or <name>.nrrd"
        )
    return cases


def read_truth(path: Path, shape: tuple[int, int]) -> np.ndarray:
    """A mask file as (rows, cols) bool, True where it is not 0.

    Raises InputError when it cannot be read or is not of that shape.
    """
    try:
        values = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))
    except RuntimeError as error:
        raise InputError(f"{path.name}: cannot be read as a mask; write it again") from error
    if values.ndim == 3 and values.shape[0] == 1:
        values = values[0]
    if values.shape != tuple(shape):
        raise InputError(
            f"{path.name}: the mask has {_size(values.shape)} pixels, its image {_size(shape)}; "
            "give the mask on its image's own grid"
        )
    return values != 0


def _from_files(image: Path, mask: Path, spacing_mm: tuple[float, float] | None) -> Case:
    def load():
        mammogram = read_mammogram(image, spacing_mm)
        return mammogram, read_truth(mask, mammogram.pixels.shape)

    stem = mask.stem.removesuffix(MASK_SUFFIX)
    known = _description(image.with_name(stem + DESCRIPTION_TYPE))
    name = CaseName(
        name=stem,
        patient=str(known.get("patient", patient_of(stem))),
        kind=str(known.get("options", {}).get("kind", UNSTATED)),
        data=_data(known, image.parent.name),
    )
    identity = {"image": image.name, "mask": mask.name, "spacing_mm": str(spacing_mm)}
    for part, path in (("image", image), ("mask", mask)):
        state = path.stat()
        identity |= {f"{part}_bytes": state.st_size, f"{part}_changed": state.st_mtime_ns}
    return Case(name, identity, load)


def _data(known: dict, folder: str) -> str:
    """What kind of data an image is, for the head of the figures."""
    if known.get("simulated") is not True:
        return f"folder {folder}"
    real = known.get("background") == "real"
    return "simulated MCs inserted into real images" if real else "simulated"


def _masks_in(folder: Path) -> list[Path]:
    """One mask for each image; of two types, NRRD."""
    first: dict[str, Path] = {}
    for path in sorted(path for path in folder.iterdir() if _is_mask(path)):
        first.setdefault(path.stem, path)
    return list(first.values())


def _is_mask(path: Path) -> bool:
    return path.stem.endswith(MASK_SUFFIX) and path.suffix.lower() in MASK_TYPES and path.is_file()


def _image_of(mask: Path) -> Path | None:
    """The file beside a mask that is called like its image, or None."""
    stem = mask.stem.removesuffix(MASK_SUFFIX)
    named = [p for p in mask.parent.iterdir() if p.name == stem or p.name.startswith(f"{stem}.")]
    images = sorted(p for p in named if p.is_file() and p.suffix != DESCRIPTION_TYPE)
    return images[0] if images else None


def _description(path: Path) -> dict:
    """What is said about an image beside it; empty when nothing is."""
    if not path.is_file():
        return {}
    try:
        known = json.loads(path.read_text("utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: not readable as JSON; write it again or delete it") from error
    return known if isinstance(known, dict) else {}


def _size(shape: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape)
