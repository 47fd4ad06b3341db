"""Which patients are learnt from, checked on, and judged on: by patient, never by image."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable

from .annotated import SPLITS, AnnotatedImage, Problem

SHARES = (231, 25, 27)  # train, validation, test images of Valvano et al. 2019


def split_problems(images: Iterable[AnnotatedImage]) -> list[Problem]:
    """Patients that a data set puts into two splits, and splits that do not exist."""
    stated: dict[str, dict[str, AnnotatedImage]] = defaultdict(dict)
    problems = []
    for image in images:
        if image.split is None:
            continue
        if image.split not in SPLITS:
            what = f"split {image.split!r} is unknown"
            remedy = f"use one of: {', '.join(SPLITS)}"
            problems.append(Problem(image.name, image.files[0].name, what, remedy))
        stated[image.patient].setdefault(image.split, image)
    for patient, by_split in sorted(stated.items()):
        if len(by_split) > 1:
            named = ", ".join(f"{one.name} in {split}" for split, one in by_split.items())
            last = list(by_split.values())[-1]
            what = f"patient {patient} is in {len(by_split)} splits ({named})"
            remedy = "put all of a patient's images into one split"
            problems.append(Problem(last.name, last.files[0].name, what, remedy))
    return problems


def assign_splits(
    images: Iterable[AnnotatedImage],
    shares: tuple[int, int, int] = SHARES,
    seed: int = 0,
    known: dict[str, str] | None = None,
) -> dict[str, str]:
    """Patient -> split; the same images, shares and seed give the same splits.

    A split that the data set states, or that `known` has from an earlier build, is kept.
    The other patients come in an order drawn by hash, so that one more patient moves as few
    others as can be; each goes to the split that lacks most images of its share.
    """
    counts: dict[str, int] = defaultdict(int)
    chosen = dict(known or {})
    for image in images:
        counts[image.patient] += 1
        if image.split is not None:
            chosen.setdefault(image.patient, image.split)
    have = dict.fromkeys(SPLITS, 0)
    for patient, count in counts.items():
        if patient in chosen:
            have[chosen[patient]] += count
    total = sum(counts.values())
    wanted = {split: total * part / sum(shares) for split, part in zip(SPLITS, shares, strict=True)}
    open_patients = sorted(set(counts) - set(chosen), key=lambda patient: _drawn(seed, patient))
    for patient in open_patients:
        # Of equal needs, the first: train before validation before test.
        split = max(SPLITS, key=lambda one: (wanted[one] - have[one]) / max(wanted[one], 1e-9))
        chosen[patient] = split
        have[split] += counts[patient]
    return {patient: chosen[patient] for patient in counts}


def _drawn(seed: int, patient: str) -> bytes:
    return hashlib.sha256(f"{seed}:{patient}".encode()).digest()
