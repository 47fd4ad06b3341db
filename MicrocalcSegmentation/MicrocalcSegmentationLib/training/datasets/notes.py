"""What is no fault of data sets, but leaves less to learn from or to judge on than it seems."""

from collections.abc import Sequence

from .annotated import SPLITS, AnnotatedImage
from .splits import SHARES, assign_splits

_NAMED = 3


def notes(images: Sequence[AnnotatedImage], shares: tuple[int, int, int] = SHARES) -> list[str]:
    """A sentence each on images of unknown patients, and on splits that would stay empty.

    shares: of the splits, as for `assign_splits`; one of 0 is meant to stay empty.
    """
    found = []
    guessed = [image.name for image in images if not image.patient_stated]
    if guessed:
        more = ", ..." if len(guessed) > _NAMED else ""
        found.append(
            f"{len(guessed)} of {len(images)} images do not say whose they are, and count as a "
            f"patient each ({', '.join(guessed[:_NAMED])}{more}); where two are of one patient, "
            "say so in cases.csv, or both sides of a split may hold her"
        )
    if any(image.split not in (*SPLITS, None) for image in images):
        return found
    taken = set(assign_splits(images, shares).values())
    wanted = [split for split, share in zip(SPLITS, shares, strict=True) if share]
    empty = [split for split in wanted if split not in taken]
    if empty and images:
        patients = {image.patient for image in images}
        whose = (
            f"1 patient ({patients.pop()})" if len(patients) == 1 else f"{len(patients)} patients"
        )
        found.append(
            f"{' and '.join(empty)} would stay empty: the {len(images)} images are of {whose}; "
            "give more, or say in cases.csv whose they really are and which split is theirs"
        )
    return found
