"""From nothing to a model folder: sheets, detector, segmentator, thresholds, manifest."""

import json
import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from ..errors import InputError, ModelError
from ..model import NETWORKS, Model, read_weights, save_model, write_weights
from ..networks import Architecture, build
from ..progress import Part, Progress
from .fit import Schedule, Tiles, fit
from .operating_points import (
    calibrate,
    choose_detector_threshold,
    choose_threshold,
    operating_points,
)
from .pool import fill_pool, load_sheet
from .tissue import RealTissue, training_backgrounds, training_tiles

VALIDATION_SEEDS_FROM = 1_000_000  # sheets for validation never share a seed with training's


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a pair becomes.

    sheets, validation_sheets: how many images of 5 cm side to learn from, and to check on.
    film_tiles: folder of CBIS-DDSM tiles for a third of the sheets, or None to simulate film.
    digital_backgrounds: folder of digital mammograms for three sheets of ten, or None.
    positive_windows_kept: share of windows with an MC in them that the detector must pass;
        windows overlap by half, so an MC lies in four of them and needs one.
    false_clusters: per 100 cm2 of validation sheets at the segmentator's threshold.
    """

    name: str
    version: str = "1"
    seed: int = 1
    sheets: int = 420
    validation_sheets: int = 40
    film_tiles: str | None = None
    digital_backgrounds: str | None = None
    architecture: Architecture = field(default_factory=Architecture)
    detector_steps: int = 1200
    segmentator_steps: int = 2400
    positive_windows_kept: float = 0.8
    false_clusters: float = 0.2


def train_pair(recipe: Recipe, output: Path, work_folder: Path, progress: Progress) -> Model:
    """Train both networks by a recipe and write the model into `output`.

    work_folder keeps the sheets and each finished network, so that a second call goes
    on where the first one stopped. Deterministic for one machine and library version.
    """
    if recipe.architecture.padding != "valid":
        raise InputError("this trainer slides over tiles, which needs padding 'valid'")
    for library in ("keras", "onnx"):  # or an hour's work would be for nothing
        if find_spec(library) is None:
            raise ModelError(
                f"training needs {library}, which is not installed; "
                "run: pip install 'microcalc-segmentation[cpu]'"
            )
    real = _real_tissue(recipe)
    first = recipe.seed * 10_000
    held_from = VALIDATION_SEEDS_FROM + first
    pool = Part(progress, 0.0, 0.15)
    held = fill_pool(
        work_folder, range(held_from, held_from + recipe.validation_sheets), real, pool
    )
    learnt = fill_pool(work_folder, range(first, first + recipe.sheets), real, pool)
    sheets, held_sheets = [load_sheet(p) for p in learnt], [load_sheet(p) for p in held]
    parts = {"detector": Part(progress, 0.15, 0.4), "segmentator": Part(progress, 0.4, 0.95)}
    networks, checks = {}, {}
    for which in NETWORKS:
        networks[which], checks[which] = _network(
            which, recipe, (sheets, held_sheets), work_folder, parts[which]
        )
    progress.report(0.95, "calibrating, and choosing thresholds on validation sheets")
    detector_threshold, figures = choose_detector_threshold(
        lambda pixels: _sliding_scores(networks["detector"], pixels),
        held_sheets,
        recipe.architecture,
        recipe.positive_windows_kept,
    )
    calibrate(networks["segmentator"], held_sheets, _dense_scores(networks, recipe))
    points = operating_points(_dense_scores(networks, recipe), held_sheets)
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
        operating_points=tuple(points),
        figures={"validation sheets (simulated calcifications)": figures},
        training=_record(recipe, real, checks),
    )
    model = save_model(model, networks)
    progress.report(1.0, f"model written to {output}")
    return model


def _real_tissue(recipe: Recipe) -> RealTissue:
    film, digital = recipe.film_tiles, recipe.digital_backgrounds
    return RealTissue(
        training_tiles(Path(film)) if film else (),
        training_backgrounds(Path(digital)) if digital else (),
    )


def _network(which, recipe: Recipe, sheets, work_folder: Path, progress: Progress):
    """Train one network, or read it when an earlier call has finished it."""
    path = work_folder / f"{which}-{recipe.seed}.npz"
    if path.exists():
        network = build(recipe.architecture, which, sliding=True)
        read_weights(network, path)
        return network, json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    steps = recipe.detector_steps if which == "detector" else recipe.segmentator_steps
    schedule = Schedule(steps=steps, seed=recipe.seed)
    tiles = tuple(
        Tiles(part, which, recipe.architecture, recipe.seed + number)
        for number, part in enumerate(sheets)
    )
    network, checks = fit(which, recipe.architecture, tiles, schedule, progress)
    path.with_suffix(".json").write_text(json.dumps(checks), encoding="utf-8")
    write_weights(network, path)
    return network, checks


def _dense_scores(networks, recipe: Recipe) -> Callable[[np.ndarray], np.ndarray]:
    return dense_scores(networks["segmentator"], recipe.architecture)


def dense_scores(network, architecture: Architecture) -> Callable[[np.ndarray], np.ndarray]:
    """What gives the (rows, cols) probability at every pixel, by a network in training."""
    from ..inference.dense import score_pixels_dense
    from ..inference.engines.keras_engine import dense_network
    from ..inference.windows import Work
    from ..progress import Silent

    dense = dense_network(network, architecture)

    def score(pixels: np.ndarray) -> np.ndarray:
        everywhere = np.ones(pixels.shape, bool)
        return score_pixels_dense(pixels, everywhere, dense, Work(1, Silent(), ""))

    return score


def _sliding_scores(network, pixels: np.ndarray) -> np.ndarray:
    return np.asarray(network.predict_on_batch(pixels[None, ..., None]))[0, ..., 1]


def _record(recipe: Recipe, real: RealTissue, checks: dict) -> dict:
    import keras

    record = asdict(recipe)
    record["film_tiles"] = f"{len(real.film)} CBIS-DDSM tiles"
    record["digital_backgrounds"] = [path.name for path in real.digital]
    return {
        "command": "microcalc train",
        "recipe": record,
        "checks": checks,
        "libraries": {
            "keras": keras.__version__,
            "backend": keras.backend.backend(),
            "numpy": np.__version__,
            "python": platform.python_version(),
        },
    }
