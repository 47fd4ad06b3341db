"""An annotated image as the networks will see it, ready to cut patches from."""

import hashlib
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import find_objects, label

from ...breast import breast_region
from ...errors import InputError
from ...mammogram import Mammogram
from ...resampling import resize_mask
from ...working import working_breast
from ..datasets.annotated import CLUSTER_LEVEL, AnnotatedImage, Annotation, Problem
from .classes import BREAST, MC, OUTSIDE, REGION, UNCERTAIN

# Of the cached values: 0.004 deviations, which no network notices, and read at three times the
# speed of float16. Normalised values stay below 60: their soft limit is logarithmic.
LEVELS_PER_DEVIATION = 256
OUTSIDE_BREAST = 0.5  # of all marked pixels; more, and the annotation is another image's
# Of the image: an inverted mask or a breast's marks most of it, MCs a hundredth at the very most.
MOST_MARKED = 0.1


@dataclass(frozen=True)
class Prepared:
    """The breast's bounding box at 0.05 mm.

    values: (rows, cols) int16, normalised as `segment` does it, in LEVELS_PER_DEVIATION.
    labels: uint8, see `classes`. box: (row, col, rows, cols) of it in the image's own
    pixels. own_shape, spacing_mm: of the image. digest: of the image's pixels and spacing.
    mcs: how many connected MCs are marked. outside_pixels: of the marked ones, in own pixels,
    how many the breast does not hold; outside_mcs: of the connected ones, how many lie there
    whole, so that no sample is drawn of them.
    """

    values: np.ndarray
    labels: np.ndarray
    box: tuple[int, int, int, int]
    own_shape: tuple[int, int]
    spacing_mm: tuple[float, float]
    digest: str
    mcs: int
    outside_pixels: int
    outside_mcs: int


def examine(image: AnnotatedImage) -> tuple[Prepared | None, tuple[Problem, ...]]:
    """Read an image and prepare it, and all that is wrong with it; None when that does harm."""
    try:
        annotation = image.load()
    except InputError as error:
        return None, (Problem.of_error(image.name, error),)
    problems = list(annotation.problems)
    try:
        prepared = prepare(annotation, image.level)
    except InputError as error:
        return None, (*problems, Problem.of_error(image.name, error))
    problems += _content_problems(image, annotation, prepared)
    sound = all(problem.harmless for problem in problems)
    return (prepared if sound else None), tuple(problems)


def prepare(annotation: Annotation, level: str) -> Prepared:
    """Cut out the breast, bring image and labels to 0.05 mm, and normalise.

    Raises InputError when no breast is found.
    """
    mammogram = annotation.mammogram
    breast = breast_region(mammogram)
    working = working_breast(mammogram, breast)
    box, inside, shape = working.box, working.inside, working.values.shape
    labels = np.where(inside, np.uint8(BREAST), np.uint8(OUTSIDE))
    labels[_resized(annotation.uncertain[box], shape) & inside] = UNCERTAIN
    marked = REGION if level == CLUSTER_LEVEL else MC
    labels[_resized(annotation.mask[box], shape) & inside] = marked
    _, mcs = label(labels == MC, np.ones((3, 3)))
    regions, count = label(annotation.mask, np.ones((3, 3)))
    seen = np.unique(regions[breast & annotation.mask])
    return Prepared(
        values=np.round(working.values * LEVELS_PER_DEVIATION).astype(np.int16),
        labels=labels,
        box=(box[0].start, box[1].start, *working.own_shape),
        own_shape=mammogram.pixels.shape,
        spacing_mm=mammogram.spacing_mm,
        digest=_digest(mammogram),
        mcs=mcs,
        outside_pixels=int((annotation.mask & ~breast).sum()),
        outside_mcs=count - len(seen),
    )


def _resized(mask: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """`resize_mask`, in which no connected region is lost, however small it is."""
    resized = resize_mask(mask, shape)
    if shape == mask.shape or not mask.any():
        return resized
    regions, _ = label(mask, np.ones((3, 3)))
    scale = np.divide(shape, mask.shape)
    for number, box in enumerate(find_objects(regions), 1):
        start = [int(s.start * k) for s, k in zip(box, scale, strict=True)]
        stop = [int(np.ceil(s.stop * k)) for s, k in zip(box, scale, strict=True)]
        if not resized[start[0] : stop[0], start[1] : stop[1]].any():
            centre = np.argwhere(regions[box] == number).mean(axis=0) + [s.start for s in box]
            row, col = np.minimum(((centre + 0.5) * scale).astype(int), np.subtract(shape, 1))
            resized[row, col] = True
    return resized


def _content_problems(
    image: AnnotatedImage, annotation: Annotation, prepared: Prepared
) -> list[Problem]:
    found = [_place_problem(image, annotation, prepared), _positive_problem(image, annotation)]
    mask = image.files[min(1, len(image.files) - 1)].name
    return [
        Problem(image.name, mask, *what_and_remedy)
        for what_and_remedy in found
        if what_and_remedy is not None
    ]


def _place_problem(
    image: AnnotatedImage, annotation: Annotation, prepared: Prepared
) -> tuple[str, str] | tuple[str, str, bool] | None:
    """What is wrong with how much is marked, and where; what to do; and whether it is harmless."""
    marked = int(annotation.mask.sum())
    if image.level != CLUSTER_LEVEL and marked > MOST_MARKED * annotation.mask.size:
        return (
            f"{marked / annotation.mask.size:.0%} of the image is marked as MC",
            "check that the mask is not inverted and marks MCs alone, or exclude the image",
        )
    kept = np.isin(prepared.labels, (MC, REGION)).any()
    if marked and (prepared.outside_pixels > OUTSIDE_BREAST * marked or not kept):
        return (
            f"{prepared.outside_pixels} of {marked} marked pixels lie outside the breast",
            "check that annotation and image belong together, or exclude the image",
        )
    if prepared.outside_mcs:
        # MCs at the very skin, of which the breast that is found holds nothing.
        return (
            f"{prepared.outside_mcs} of the marked regions lie outside the breast",
            "nothing is learnt of them; take their marks away where they are wrong",
            True,
        )
    return None


def _positive_problem(image: AnnotatedImage, annotation: Annotation) -> tuple[str, str] | None:
    if image.positive is None or annotation.problems:
        return None
    marked = annotation.mask.any()
    # What may be an MC speaks for a positive image, and not against a negative one.
    if image.positive and not (marked or annotation.uncertain.any()):
        said, found = "positive", "no MC is"
    elif marked and not image.positive:
        said, found = "negative", "MCs are"
    else:
        return None
    return (
        f"{found} marked, though the data set calls the image {said}",
        "correct the mask or the table, or exclude the image",
    )


def _digest(mammogram: Mammogram) -> str:
    digest = hashlib.sha256(repr((mammogram.pixels.shape, mammogram.spacing_mm)).encode())
    digest.update(np.ascontiguousarray(mammogram.pixels).tobytes())
    return digest.hexdigest()
