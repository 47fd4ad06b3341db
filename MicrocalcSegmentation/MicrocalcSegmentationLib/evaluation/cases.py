"""Images with their true MC masks: simulated ones, or a folder of the user's."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ..errors import InputError
from ..simulation.cases import KINDS, CaseOptions, simulate_case
from ..simulation.plan import TEST_SEED_START
from ..simulation.version import SIMULATION_VERSION
from ..training.datasets import folders
from ..training.datasets.annotated import Annotation
from ..training.datasets.folders import IGNORED_SUFFIX, MASK_SUFFIX
from .patients import patient_of
from .scores import CaseName

MASK_TYPES = (".nrrd", ".png")
DESCRIPTION_TYPE = ".json"  # what `microcalc simulate` says about an image, beside it
UNSTATED = "unstated"


@dataclass(frozen=True)
class Case:
    """One image to evaluate.

    identity: what the image was made or read from; equal identities are equal images.
    load: reads or makes the mammogram and its truth; may raise InputError.
    """

    name: CaseName
    identity: dict[str, str | int | float]
    load: Callable[[], Annotation]


def simulated_cases(count: int, seed: int = 0, kinds: tuple[str, ...] = KINDS) -> list[Case]:
    """Test mammograms, the kinds taking turns. seed: from 0; each starts another set."""
    return [
        _simulated(TEST_SEED_START + seed * 10_000 + i, kinds[i % len(kinds)]) for i in range(count)
    ]


def _simulated(seed: int, kind: str) -> Case:
    def load():
        case = simulate_case(seed, CaseOptions(kind=kind))
        return Annotation(case.mammogram, case.mask, case.ignored)

    name = f"simulated-{kind}-{seed}"
    identity = {"simulated": kind, "seed": seed, "simulation_version": SIMULATION_VERSION}
    return Case(CaseName(name, patient=name, kind=kind, data="simulated"), identity, load)


def folder_cases(folder: Path, spacing_mm: tuple[float, float] | None = None) -> list[Case]:
    """Every image of a folder that has its mask, `<name>_mask.nrrd` or `.png`, beside it.

    `<name>_ignored.nrrd` or `.png` marks what is neither MC nor tissue, where it is there.
    Images without a mask are passed over. spacing_mm: for images that do not state it.
    Raises InputError when the folder holds no such pair.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder of test cases; give one that exists")
    pairs = [(image, mask) for mask in _named(folder, MASK_SUFFIX) if (image := _image_of(mask))]
    cases = [_from_files(image, mask, spacing_mm) for image, mask in pairs]
    if not cases:
        raise InputError(
            f"{folder}: no image with its mask; put <name>{MASK_SUFFIX}.nrrd or "
            f"<name>{MASK_SUFFIX}.png beside each <name>.dcm or <name>.nrrd"
        )
    return cases


def _from_files(image: Path, mask: Path, spacing_mm: tuple[float, float] | None) -> Case:
    stem = mask.stem.removesuffix(MASK_SUFFIX)
    known = _description(image.with_name(stem + DESCRIPTION_TYPE))
    name = CaseName(
        name=stem,
        patient=str(known.get("patient", patient_of(stem))),
        kind=str(known.get("options", {}).get("kind", UNSTATED)),
        data=_data(known, image.parent.name),
    )
    ignored = [p for p in _named(mask.parent, IGNORED_SUFFIX) if p.stem == stem + IGNORED_SUFFIX]
    files = (image, mask, *ignored)
    identity = {"spacing_mm": str(spacing_mm)}
    for part, path in zip(("image", "mask", "ignored"), files, strict=False):
        state = path.stat()
        identity |= {part: path.name}
        identity |= {f"{part}_bytes": state.st_size, f"{part}_changed": state.st_mtime_ns}
    return Case(name, identity, partial(folders.load, files, spacing_mm))


def _data(known: dict, folder: str) -> str:
    """What kind of data an image is, for the head of the figures."""
    if known.get("simulated") is not True:
        return f"folder {folder}"
    real = known.get("background") == "real"
    return "simulated MCs inserted into real images" if real else "simulated"


def _named(folder: Path, suffix: str) -> list[Path]:
    """One mask of this suffix for each image; of two types, NRRD."""
    first: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.stem.endswith(suffix) and path.suffix.lower() in MASK_TYPES and path.is_file():
            first.setdefault(path.stem, path)
    return list(first.values())


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
