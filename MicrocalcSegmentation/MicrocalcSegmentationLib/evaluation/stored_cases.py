"""The images of a sample database as test cases, read again whole from their own files."""

from functools import partial
from pathlib import Path

from ..errors import InputError
from ..training.datasets import read_annotation
from ..training.datasets.annotated import CLUSTER_LEVEL, MC_LEVEL
from ..training.samples.access import Samples, StoredImage
from .cases import Case
from .scores import CaseName


def stored_cases(
    database: Path, split: str = "test", levels: tuple[str, ...] = (MC_LEVEL, CLUSTER_LEVEL)
) -> list[Case]:
    """Every image of a split that is outlined at one of these levels.

    Raises InputError when there is none.
    """
    samples = Samples(database)
    images = samples.images((split,))
    cases = [_case(samples, image) for image in images if image.level in levels]
    samples.close()
    if not cases:
        why = "its images outline regions, not MCs" if images else "it is empty"
        raise InputError(f"{database}: nothing to evaluate in the split {split}; {why}")
    return cases


def _case(samples: Samples, image: StoredImage) -> Case:
    files, layout, spacing_mm = samples.files(image.number)
    name = CaseName(image.name, image.patient, image.kind, image.source, image.level)
    identity = {"layout": layout, "spacing_mm": str(spacing_mm), "level": image.level}
    for number, path in enumerate(files):
        if not path.is_file():
            raise InputError(f"{path}: missing; put the images back where they were")
        state = path.stat()
        identity |= {f"bytes_{number}": state.st_size, f"changed_{number}": state.st_mtime_ns}
    return Case(name, identity, partial(read_annotation, layout, image.name, files, spacing_mm))
