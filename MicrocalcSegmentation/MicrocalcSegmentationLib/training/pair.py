"""From nothing to a model folder: sheets, detector, segmentator, thresholds, manifest."""

import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..model import NETWORKS, Model, load_model, save_model
from ..neighbours import reconsider
from ..networks import Architecture, build
from ..progress import Part, Progress
from . import libraries
from .card import write_card
from .fit import UNITS, Schedule, Tiles, fit
from .kept import KeptNetworks, made_of
from .neighbour_weights import fit_neighbourhood
from .operating_points import calibrate, choose_threshold, operating_points
from .outline_weights import fit_outline
from .pool import Wanted, fill_pool, load_sheet
from .sheets import KINDS, Sheet
from .tissue import RealTissue, real_tissue
from .windows_passed import Detector, choose_detector_threshold

# Sheets to check on never share a seed with those to learn from.
VALIDATION_SEEDS_FROM, SPARSE_SEEDS_FROM = 1_000_000, 1_500_000
GOING_ON_RATE = 5e-4  # a quarter of what a new network begins with; others were not tried


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a pair becomes.

    sheets, validation_sheets: how many images of 5 cm side to learn from, and to check on.
    film_tiles: folder of CBIS-DDSM tiles for a third of the sheets, or None to simulate film.
    digital_backgrounds: folder of digital mammograms for three sheets of ten, or None.
    sparse_sheets: how many with few MCs or none, for neighbours' weights and thresholds.
    kinds: "digital", "film" or both; sheets of another kind are left out.
    mcs_kept: share of the MCs that the segmentator sees which the detector must pass.
    false_clusters: expected per 100 cm2 of sparse sheets at the threshold.
    start: name or folder of a pair whose networks learn on, with its architectures; each ends
        `halfway` there, and one given 0 steps stays what it is. With 0 steps for both the
        pair stays as it is, but for its outline. None begins from nothing.
    """

    name: str
    version: str = "1"
    seed: int = 1
    sheets: int = 420
    validation_sheets: int = 40
    sparse_sheets: int = 160
    kinds: tuple[str, ...] = KINDS
    film_tiles: str | None = None
    digital_backgrounds: str | None = None
    architecture: Architecture = field(default_factory=Architecture)
    detector_steps: int = 1200
    segmentator_steps: int = 2400
    mcs_kept: float = 0.98
    false_clusters: float = 0.02
    start: str | None = None


def train_pair(recipe: Recipe, output: Path, work_folder: Path, progress: Progress) -> Model:
    """Train both networks by a recipe and write the model into `output`.

    work_folder keeps the sheets and each finished network, so that a second call goes
    on where the first one stopped. Deterministic for one machine and library version.
    """
    start = None if recipe.start is None else load_model(recipe.start)
    if start is not None:
        recipe = replace(recipe, architecture=_common_architecture(start))
    elif not (recipe.detector_steps and recipe.segmentator_steps):
        raise InputError("0 steps leave a network untrained; give a pair to start from")
    if recipe.architecture.padding != "valid":
        raise InputError("this trainer slides over tiles, which needs padding 'valid'")
    if not recipe.kinds or not set(recipe.kinds) <= set(KINDS):
        raise InputError(
            f"kinds of sheets are {' and '.join(KINDS)}, not {', '.join(recipe.kinds) or 'none'}"
        )
    libraries.require()
    real = real_tissue(recipe.film_tiles, recipe.digital_backgrounds)
    if start is not None and not (recipe.detector_steps or recipe.segmentator_steps):
        return _outlined_anew(recipe, start, output, work_folder, real, progress)
    learnt, held, sparse = _sheets(recipe, work_folder, real, Part(progress, 0.0, 0.2))
    parts = {"detector": Part(progress, 0.2, 0.4), "segmentator": Part(progress, 0.4, 0.9)}
    networks, checks = {}, {}
    began = {"start": None if start is None else start.digests}
    kept = KeptNetworks(work_folder, made_of(recipe, real) | began)
    for which in NETWORKS:
        networks[which], checks[which] = _network(
            which, recipe, start, (learnt, held), kept, parts[which]
        )
    progress.report(0.9, "calibrating, and choosing thresholds on sheets not learnt from")
    segment = _dense_scores(networks, recipe)
    calibrate(networks["segmentator"], held, segment)
    segment, detector = _dense_scores(networks, recipe), _detector(networks, recipe)
    detector_threshold, figures = choose_detector_threshold(
        detector, segment, held, recipe.mcs_kept
    )

    within_windows = _within_windows(detector, detector_threshold, segment)
    neighbourhood = fit_neighbourhood(within_windows, sparse[::2])
    outline = fit_outline(within_windows, held)

    def final(sheet: Sheet) -> np.ndarray:
        values = within_windows(sheet)
        if neighbourhood is None:
            return values
        image = sheet.pixels.astype(np.float32)
        inside = sheet.pixels != 0
        return reconsider(values, image, inside, neighbourhood, outline).probability

    # All of them, for clusters are few: four weights fit hardly any better those learnt from.
    points = operating_points(final, sparse)
    chosen = choose_threshold(points, recipe.false_clusters)
    figures |= {
        "MCs found at the threshold": chosen.mcs_found,
        "false MCs per 100 cm2 at the threshold": chosen.false_mcs,
        "false clusters per 100 cm2 at the threshold": chosen.false_clusters,
    }
    model = Model(
        name=recipe.name,
        version=recipe.version,
        folder=output,
        architectures=dict.fromkeys(NETWORKS, recipe.architecture),
        threshold=chosen.threshold,
        detector_threshold=detector_threshold,
        neighbourhood=neighbourhood,
        outline=outline,
        operating_points=tuple(points),
        figures={"validation sheets (simulated calcifications)": figures},
        training=_record(recipe, start, real, checks),
    )
    model = save_model(model, networks)
    write_card(model)
    progress.report(1.0, f"model written to {output}")
    return model


def _outlined_anew(
    recipe: Recipe, start: Model, output: Path, work_folder: Path, real: RealTissue, progress
) -> Model:
    """The pair with an outline learnt on validation sheets, everything else being kept."""
    (held,) = _loaded(work_folder, [_validation(recipe)], real, Part(progress, 0.0, 0.8))
    progress.report(0.8, "learning where an MC ends")
    networks = {which: start.network(which, sliding=True) for which in NETWORKS}
    segment, detector = _dense_scores(networks, recipe), _detector(networks, recipe)
    outline = fit_outline(_within_windows(detector, start.detector_threshold, segment), held)
    if outline is None:
        raise InputError(
            f"{len(held)} validation sheets hold too few MCs that {start.name} finds to learn "
            "where one ends; give more of them"
        )
    record = start.training | {"outline": _record(recipe, start, real, {})}
    model = replace(
        start,
        name=recipe.name,
        version=f"{start.version}.1",  # it draws otherwise, so its findings are told apart
        folder=output,
        outline=outline,
        training=record,
    )
    model = save_model(model, networks)
    write_card(model)
    progress.report(1.0, f"model written to {output}")
    return model


def _sheets(
    recipe: Recipe, folder: Path, real: RealTissue, progress: Progress
) -> tuple[list[Sheet], list[Sheet], list[Sheet]]:
    """To learn from, to check on, and with few MCs."""
    first, kinds = recipe.seed * 10_000, recipe.kinds
    wanted = [
        Wanted(first, recipe.sheets, kinds=kinds),
        _validation(recipe),
        Wanted(SPARSE_SEEDS_FROM + first, recipe.sparse_sheets, "sparse", kinds=kinds),
    ]
    return _loaded(folder, wanted, real, progress)


def _validation(recipe: Recipe) -> Wanted:
    first = VALIDATION_SEEDS_FROM + recipe.seed * 10_000
    return Wanted(first, recipe.validation_sheets, kinds=recipe.kinds)


def _loaded(folder: Path, wanted: list[Wanted], real: RealTissue, progress):
    files = fill_pool(folder, wanted, real, progress)
    return tuple([load_sheet(path) for path in paths] for paths in files)


def _common_architecture(start: Model) -> Architecture:
    architecture = start.architectures["segmentator"]
    if start.architectures["detector"] != architecture:
        raise InputError(f"{start.name}: its two networks differ in shape; this trainer needs one")
    return architecture


def _network(which, recipe: Recipe, start: Model | None, sheets, kept: KeptNetworks, progress):
    """Train one network, or read it when an earlier call has finished it."""
    steps = recipe.detector_steps if which == "detector" else recipe.segmentator_steps
    begun = None if start is None else start.network(which, sliding=True)
    if steps == 0:
        return begun, []
    of_some = "" if recipe.kinds == KINDS else f"-{'-'.join(recipe.kinds)}"
    gone_on = "" if start is None else f"-from-{start.name}"
    name = f"{which}-{recipe.seed}{of_some}{gone_on}"
    made = kept.read(name, steps, lambda: build(recipe.architecture, which, sliding=True))
    if made is not None:
        return made
    schedule = Schedule(steps=steps, seed=recipe.seed)
    if begun is not None:
        schedule = replace(schedule, rate=GOING_ON_RATE)
    tiles = tuple(
        Tiles(part, which, recipe.architecture, recipe.seed + number)
        for number, part in enumerate(sheets)
    )
    before = None if begun is None else begun.get_weights()
    network, checks = fit(which, recipe.architecture, tiles, schedule, progress, begun)
    if before is not None:
        network.set_weights(halfway(before, network.get_weights()))
    kept.write(name, steps, network, checks)
    return network, checks


def halfway(before: list[np.ndarray], after: list[np.ndarray]) -> list[np.ndarray]:
    """The mean of a network's weights before and after it went on.

    Meant to keep what was known of images unlike those of the last lessons (Wortsman et al.,
    Robust fine-tuning of zero-shot models, CVPR 2022); rounds.md has what came of it here.
    """
    return [(one + other) / 2 for one, other in zip(before, after, strict=True)]


def _detector(networks, recipe: Recipe) -> Detector:
    return Detector(
        lambda pixels: _sliding_scores(networks["detector"], pixels), recipe.architecture
    )


def _within_windows(
    detector: Detector, threshold: float, segment: Callable[..., np.ndarray]
) -> Callable[[Sheet], np.ndarray]:
    """The segmentator's probability where the detector looks at a sheet, 0 elsewhere."""

    def score(sheet: Sheet) -> np.ndarray:
        passed = detector.candidates(sheet, threshold)
        return segment(sheet.pixels.astype(np.float32), passed)

    return score


def _dense_scores(networks, recipe: Recipe) -> Callable[..., np.ndarray]:
    return dense_scores(networks["segmentator"], recipe.architecture)


def dense_scores(network, architecture: Architecture) -> Callable[..., np.ndarray]:
    """What gives the (rows, cols) probability by a network in training: (pixels, where=None).

    where: (rows, cols) bool, the pixels that are asked for, with 0 elsewhere; None for all.
    """
    from ..inference.dense import score_pixels_dense
    from ..inference.engines.keras_engine import dense_network
    from ..inference.windows import Work
    from ..progress import Silent

    dense = dense_network(network, architecture)

    def score(pixels: np.ndarray, where: np.ndarray | None = None) -> np.ndarray:
        where = np.ones(pixels.shape, bool) if where is None else where
        if not where.any():
            return np.zeros(pixels.shape, np.float32)
        return score_pixels_dense(pixels, where, dense, Work(1, Silent(), ""))

    return score


def _sliding_scores(network, pixels: np.ndarray) -> np.ndarray:
    return np.asarray(network.predict_on_batch(pixels[None, ..., None]))[0, ..., 1]


def _record(recipe: Recipe, start: Model | None, real: RealTissue, checks: dict) -> dict:
    import keras

    record = asdict(recipe)
    record["film_tiles"] = f"{len(real.film)} CBIS-DDSM tiles"
    record["digital_backgrounds"] = [path.name for path in real.digital]
    if start is not None:
        record["start"] = {"name": start.name, "version": start.version, "sha256": start.digests}
    return {
        "command": "microcalc train",
        "recipe": record,
        "augmentation": asdict(UNITS),
        "checks": checks,
        "libraries": {
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
