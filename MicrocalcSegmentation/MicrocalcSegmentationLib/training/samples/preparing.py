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


@dataclass(frozen=True)
class Prepared:
    """The breast's bounding box at 0.05 mm.

    values: (rows, cols) int16, normalised as `segment` does it, in LEVELS_PER_DEVIATION.
    labels: uint8, see `classes`. box: (row, col, rows, cols) of it in the image's own
    pixels. own_shape, spacing_mm: of the image. digest: of the image's pixels and spacing.
    mcs: how many connected MCs are marked.
    """

    values: np.ndarray
    labels: np.ndarray
    box: tuple[int, int, int, int]
    own_shape: tuple[int, int]
    spacing_mm: tuple[float, float]
    digest: str
    mcs: int


def examine(image: AnnotatedImage) -> tuple[Prepared | None, tuple[Problem, ...]]:
    """Read an image and prepare it; or all that is wrong with it."""
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
    return (None if problems else prepared), tuple(problems)


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
    return Prepared(
        values=np.round(working.values * LEVELS_PER_DEVIATION).astype(np.int16),
        labels=labels,
        box=(box[0].start, box[1].start, *working.own_shape),
        own_shape=mammogram.pixels.shape,
        spacing_mm=mammogram.spacing_mm,
        digest=_digest(mammogram),
        mcs=mcs,
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
    problems = []
    marked = int(annotation.mask.sum())
    row, col, rows, cols = prepared.box
    kept = np.isin(prepared.labels, (MC, REGION)).sum()
    in_box = annotation.mask[row : row + rows, col : col + cols].sum()
    if marked and (in_box < OUTSIDE_BREAST * marked or not kept):
        what = f"{marked - int(in_box)} of {marked} marked pixels lie outside the breast"
        remedy = "check that annotation and image belong together, or exclude the image"
        problems.append(Problem(image.name, image.files[-1].name, what, remedy))
    if image.positive is not None and bool(marked) != image.positive and not annotation.problems:
        said, found = ("positive", "no MC is") if image.positive else ("negative", "MCs are")
        what = f"{found} marked, though the data set calls the image {said}"
        remedy = "correct the mask or the table, or exclude the image"
        problems.append(Problem(image.name, image.files[-1].name, what, remedy))
    return problems


def _digest(mammogram: Mammogram) -> str:
    digest = hashlib.sha256(repr((mammogram.pixels.shape, mammogram.spacing_mm)).encode())
    digest.update(np.ascontiguousarray(mammogram.pixels).tobytes())
    return digest.hexdigest()
