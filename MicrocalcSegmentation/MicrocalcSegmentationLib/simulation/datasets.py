"""A whole data set on disk, made on all cores and resumed where it was stopped.

The folder holds train, validation and test, each with images, masks and descriptions as
`write_case` writes them, and manifest.json. An image counts as finished once its
description is there, which comes last and holds the digests of the others.
"""

import hashlib
import json
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

from .. import __version__
from ..calcifications import centroids, label_calcifications
from ..clusters import group
from ..errors import InputError
from ..progress import Progress
from .cases import CaseOptions, SimulatedCase, simulate_case, write_case
from .plan import SPLITS, Member, Recipe, plan
from .processes import run_all
from .version import SIMULATION_VERSION

MANIFEST = "manifest.json"
_UNFINISHED = ".unfinished"
_ROLES = ("image", "mask", "ignored")

Simulate = Callable[[int, CaseOptions], SimulatedCase]


@dataclass(frozen=True)
class Making:
    """How a data set is made, none of which changes its content but the format.

    image_format: "dicom" or "nrrd". jobs: processes; 1 makes all images in this one.
    simulate: what makes an image; must be importable by name for more than one process.
    """

    image_format: str = "dicom"
    jobs: int = 1
    simulate: Simulate = simulate_case


def make_dataset(recipe: Recipe, folder: Path, making: Making, progress: Progress) -> dict:
    """Make every image that the folder lacks, or holds damaged; returns the manifest.

    Images whose digests are as recorded are kept. When it is stopped, by Ctrl-C or by
    `progress`, finished images stay and nothing half-written does.
    Raises InputError where the folder holds another data set or cannot be written.
    """
    folder, members = Path(folder), plan(recipe)
    head = _head(recipe, making.image_format)
    _require_same(folder / MANIFEST, head)
    try:
        for split in SPLITS:
            (folder / split).mkdir(parents=True, exist_ok=True)
        _remove_half_written(folder, members)
        finished = _finished(folder, members, head, progress)
        missing = [member for member in members if member.name not in finished]
        _write_manifest(folder, head, members, finished)
        jobs = (partial(_make_one, member, folder, making, head) for member in missing)
        try:
            # Closed before what is unfinished is cleared away, so that no process still writes.
            with closing(run_all(jobs, making.jobs)) as results:
                for described in results:
                    finished[described["name"]] = described
                    done = 1 - (len(members) - len(finished)) / len(missing)
                    progress.report(done, f"{len(finished)} of {len(members)} mammograms")
        finally:
            _remove_half_written(folder, members)
            manifest = _write_manifest(folder, head, members, finished)
    except OSError as error:
        raise InputError(
            f"{folder}: cannot write the data set ({error.strerror or error}); free some space "
            "or choose another folder, and give the same command again"
        ) from error
    return manifest


def _head(recipe: Recipe, image_format: str) -> dict:
    """What makes a data set this one and no other, as JSON gives it back."""
    counts = dict(zip(SPLITS, recipe.counts, strict=True))
    head = {
        "data": "simulated mammograms; of no patient",
        "seed": recipe.seed,
        "split": counts,
        "format": image_format,
        "spacing_mm": recipe.spacing_mm,
        "shape": recipe.shape,
        "simulation_version": SIMULATION_VERSION,
    }
    return json.loads(json.dumps(head))


def _require_same(path: Path, head: dict) -> None:
    """Refuse to mix two data sets in one folder."""
    if not path.exists():
        return
    try:
        stored = json.loads(path.read_text("utf-8"))
        other = [name for name in head if stored[name] != head[name]]
    except (ValueError, KeyError, TypeError, OSError) as error:
        raise InputError(
            f"{path}: not a data set's manifest; choose another folder, or delete this file"
        ) from error
    if other:
        raise InputError(
            f"{path.parent}: holds a data set of another {other[0].replace('_', ' ')} "
            f"({stored[other[0]]}, not {head[other[0]]}); choose another folder"
        )


def _finished(folder: Path, members: list[Member], head: dict, progress: Progress) -> dict:
    """Descriptions of the images that lie in the folder as they were written."""
    finished = {}
    for number, member in enumerate(members):
        path = folder / member.split / f"{member.name}.json"
        if not path.exists():
            continue
        progress.report(0, f"checking {number + 1} of {len(members)}")
        described = _read_description(path)
        if _is_whole(described, path.parent, _identity(member, head)):
            finished[member.name] = described | {"description_sha256": _sha256(path)}
    return finished


def _identity(member: Member, head: dict) -> dict:
    """What the description of an image must say for it to be the one that is planned."""
    known = {
        "name": member.name,
        "seed": member.seed,
        "split": member.split,
        "patient": member.patient,
        "options": asdict(member.options),
        "format": head["format"],
        "simulation_version": head["simulation_version"],
    }
    return json.loads(json.dumps(known))


def _read_description(path: Path) -> dict:
    try:
        described = json.loads(path.read_text("utf-8"))
    except ValueError:  # damaged, so the image is made again
        return {}
    return described if isinstance(described, dict) else {}


def _is_whole(described: dict, folder: Path, identity: dict) -> bool:
    if any(described.get(name) != value for name, value in identity.items()):
        return False
    try:
        return all(
            _sha256(folder / described["files"][role]) == described["sha256"][role]
            for role in _ROLES
        )
    except (KeyError, TypeError, OSError):
        return False


def _make_one(member: Member, folder: Path, making: Making, head: dict) -> dict:
    """Simulate and write one image; returns its description. Runs in any process."""
    case = making.simulate(member.seed, member.options)
    # The image itself names the patient too, for software that groups by DICOM's PatientID.
    source = replace(case.mammogram.source, dicom={"PatientID": member.patient})
    case = replace(case, mammogram=replace(case.mammogram, source=source))
    target, beside = folder / member.split, folder / _UNFINISHED / member.name
    try:
        paths = write_case(case, beside, making.image_format)
        truth = json.loads(paths["truth"].read_text("utf-8"))
        described = {
            **truth,
            **_identity(member, head),
            **_counts(case),
            "files": {role: paths[role].name for role in _ROLES},
            "sha256": {role: _sha256(paths[role]) for role in _ROLES},
        }
        paths["truth"].write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
        digest = _sha256(paths["truth"])
        (target / paths["truth"].name).unlink(missing_ok=True)
        for role in (*_ROLES, "truth"):
            paths[role].replace(target / paths[role].name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return described | {"description_sha256": digest}


def _counts(case: SimulatedCase) -> dict[str, int]:
    """MCs and clusters as the evaluation counts them in the mask."""
    spacing_mm = case.mammogram.spacing_mm
    labels = label_calcifications(case.mask, spacing_mm, 0.0)
    clusters = group(centroids(labels) * spacing_mm)
    return {"mcs": int(labels.max()), "clusters": len(clusters)}


def _remove_half_written(folder: Path, members: list[Member]) -> None:
    """Whatever a run that was killed has left: the description of an image comes last."""
    shutil.rmtree(folder / _UNFINISHED, ignore_errors=True)
    for member in members:
        place = folder / member.split
        if not (place / f"{member.name}.json").exists():
            for ending in (".dcm", ".nrrd", "_mask.nrrd", "_ignored.nrrd"):
                (place / f"{member.name}{ending}").unlink(missing_ok=True)


def _write_manifest(folder: Path, head: dict, members: list[Member], finished: dict) -> dict:
    """Write the manifest of what is finished, in the plan's order."""
    cases = [_entry(finished[m.name]) for m in members if m.name in finished]
    manifest = {
        **head,
        "library_version": __version__,
        "complete": len(cases) == len(members),
        "totals": _totals(cases),
        "cases": cases,
    }
    beside = folder / f".{MANIFEST}.part"
    beside.write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    beside.replace(folder / MANIFEST)
    return manifest


def _entry(described: dict) -> dict:
    """The manifest's lines on one image; files relative to the manifest."""
    split, name = described["split"], described["name"]
    names = {**described["files"], "description": f"{name}.json"}
    digests = {**described["sha256"], "description": described["description_sha256"]}
    kept = ("name", "split", "patient", "seed", "options", "mcs", "clusters")
    return {
        **{part: described[part] for part in kept},
        "files": {role: f"{split}/{file}" for role, file in names.items()},
        "sha256": digests,
    }


def _totals(cases: list[dict]) -> dict[str, dict[str, int]]:
    """Per part: images, patients, images of each kind and without MC clusters, MCs."""
    return {split: _total([c for c in cases if c["split"] == split]) for split in SPLITS}


def _total(cases: list[dict]) -> dict[str, int]:
    return {
        "images": len(cases),
        "patients": len({case["patient"] for case in cases}),
        "digital": sum(case["options"]["kind"] == "digital" for case in cases),
        "film": sum(case["options"]["kind"] == "film" for case in cases),
        "without_clusters": sum(case["clusters"] == 0 for case in cases),
        "clusters": sum(case["clusters"] for case in cases),
        "mcs": sum(case["mcs"] for case in cases),
    }


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
