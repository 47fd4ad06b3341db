"""What a pair confuses: its features in two dimensions, its worst patches, its false places."""

import csv
import json
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..export.staging import write_all
from ..model import NETWORKS, Model
from ..progress import Part, Progress
from ..training.features import features_and_scores
from ..training.minibatches import POSITIVE, SHARES, Minibatches, Plan, fixed_samples
from ..training.samples.access import Samples, Selection
from ..training.samples.classes import CLASSES, ZONES
from ..training.scoring import scores_of
from .charts import bars
from .error_conditions import error_conditions, write_conditions
from .feature_charts import draw_map, draw_worst

NEIGHBOURS = 5
_AT_ONCE = 512


@dataclass(frozen=True)
class AnalysisOptions:
    """split: whose patches. per_class: patches of each class, for map and worst ones.

    worst: of each class. per_place: negatives of each place and kind of image, for the rates
    of false positives. per_condition: of each class, for what errors depend on.
    seed: of the choice of patches and of the map.
    """

    split: str = "test"
    per_class: int = 500
    worst: int = 6
    per_place: int = 4000
    per_condition: int = 5000
    seed: int = 0


@dataclass(frozen=True)
class Looked:
    """Patches of all classes as a network sees them.

    patches: (n, N, N) float32. samples: (n, 4) of image, row, col, class. features: (n, 64).
    scores: (n,). positive, wrong: (n,) bool, of the label, and of the answer at 0.5.
    """

    patches: np.ndarray
    samples: np.ndarray
    features: np.ndarray
    scores: np.ndarray
    positive: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        return (self.scores >= 0.5) != self.positive


def analyse(
    model: Model, samples: Samples, output: Path, options: AnalysisOptions, progress: Progress
) -> dict:
    """Write pictures and tables of both networks into `output`; returns what analysis.json holds.

    For each network: <network>_map.png and .csv (t-SNE of the features), _worst.png (the worst
    patches of each class with their nearest neighbours of the opposite label in feature
    space), _false_positives.csv and .png (by place and by kind of image), _conditions.csv (the
    errors of each class by what they depend on, see `error_conditions`).
    Raises InputError when the split has no samples, or a library is missing.
    """
    found = {}
    for number, which in enumerate(NETWORKS):
        part = Part(progress, number / 2, (number + 1) / 2)
        found[which] = _analyse_one(model, which, samples, (output, options, part))
    said = {"model": model.name, "version": model.version, "split": options.split, **found}
    text = json.dumps(said, indent=1)
    write_all(output, {"analysis.json": lambda path: path.write_text(text, encoding="utf-8")})
    return said


def _analyse_one(model: Model, which: str, samples: Samples, how) -> dict:
    output, options, progress = how
    minibatches = _minibatches(model, which, samples, options)
    progress.report(0, f"{which}: looking at patches")
    looked = look(model.network(which), minibatches, samples, options)
    progress.report(0.4, f"{which}: features in two dimensions")
    places = embedded(looked.features, options.seed)
    progress.report(0.7, f"{which}: false positives by place")
    rates = false_positives(model, which, samples, options)
    progress.report(0.8, f"{which}: errors by what they depend on")
    network, count = model.network(which), options.per_condition
    conditions = error_conditions(network, minibatches, samples, count)
    worst = [
        (int(n), nearest_opposite(looked, int(n))) for n in worst_of_each(looked, options.worst)
    ]
    names = {image.number: image for image in samples.images()}
    write_all(
        output,
        {
            f"{which}_map.png": partial(draw_map, looked, places),
            f"{which}_map.csv": partial(_write_map, looked, places, names),
            f"{which}_worst.png": partial(draw_worst, looked, worst),
            f"{which}_conditions.csv": partial(write_conditions, conditions),
            f"{which}_false_positives.csv": partial(_write_rates, rates),
            f"{which}_false_positives.png": partial(_draw_rates, rates),
        },
    )
    return {
        "patches": len(looked.scores),
        "wrong": int(looked.wrong.sum()),
        "false positives": rates,
        "conditions": [asdict(one) for one in conditions],
    }


def look(network, minibatches: Minibatches, samples: Samples, options: AnalysisOptions) -> Looked:
    """Up to `per_class` different patches of each class, through the network."""
    plan = minibatches.plan
    chosen = []
    for sample_class in (c for shares in SHARES[plan.network] for c in shares):
        wanted = Selection(plan.architecture.patch_side, (sample_class,), (plan.split,))
        drawable = samples.select(wanted)
        if drawable.count:
            chosen.append(fixed_samples(drawable, options.per_class, options.seed))
    chosen = np.concatenate(chosen)
    patches = minibatches.patches(chosen)
    features, scores = features_and_scores(network, patches)
    positive = np.isin(chosen[:, 3], POSITIVE[plan.network])
    shape = plan.architecture
    own = slice(shape.margin, shape.margin + shape.patch_side)  # without `context`'s surroundings
    return Looked(patches[:, own, own, 0], chosen, features, scores, positive)


def embedded(features: np.ndarray, seed: int) -> np.ndarray:
    """(n, 2) places by t-SNE, after each feature is brought to one scale.

    Raises InputError where scikit-learn is not installed.
    """
    try:
        from sklearn.manifold import TSNE
    except ImportError as error:
        raise InputError(
            "the map of features needs scikit-learn, which is not installed; "
            "run: pip install 'microcalc-segmentation[train]'"
        ) from error
    scaled = (features - features.mean(axis=0)) / np.maximum(features.std(axis=0), 1e-6)
    perplexity = float(np.clip(len(features) / 4, 1, 30))
    made = TSNE(2, perplexity=perplexity, init="pca", random_state=seed)
    return np.asarray(made.fit_transform(scaled), np.float32)


def worst_of_each(looked: Looked, count: int) -> np.ndarray:
    """Numbers of the most wrong patches, up to `count` of each class, class by class."""
    distance = np.abs(looked.scores - looked.positive)
    kept = []
    for sample_class in np.unique(looked.samples[:, 3]):
        own = np.flatnonzero((looked.samples[:, 3] == sample_class) & looked.wrong)
        kept.append(own[np.argsort(-distance[own], kind="stable")][:count])
    return np.concatenate(kept)


def nearest_opposite(looked: Looked, number: int, count: int = NEIGHBOURS) -> np.ndarray:
    """Numbers of the patches of the opposite label nearest to one in feature space."""
    others = np.flatnonzero(looked.positive != looked.positive[number])
    distance = np.linalg.norm(looked.features[others] - looked.features[number], axis=1)
    return others[np.argsort(distance, kind="stable")][:count]


def false_positives(
    model: Model, which: str, samples: Samples, options: AnalysisOptions
) -> list[dict]:
    """Share of negatives at or above the model's threshold, by kind of image and place.

    Negatives are drawn as they occur, C2, C3 and C4 alike.
    """
    minibatches = _minibatches(model, which, samples, options)
    threshold = model.threshold if which == "segmentator" else model.detector_threshold
    side = model.architectures[which].patch_side
    negatives = tuple(c for c in SHARES[which][1])
    kinds = sorted({image.kind for image in samples.images((options.split,))})
    network, rates = model.network(which), []
    for kind in kinds:
        for zone, name in ZONES.items():
            wanted = Selection(side, negatives, (options.split,), kinds=(kind,), zones=(zone,))
            drawable = samples.select(wanted)
            if not drawable.count:
                continue
            chosen = fixed_samples(drawable, options.per_place, options.seed)
            scores = np.concatenate(
                [
                    scores_of(network, minibatches.patches(chosen[first : first + _AT_ONCE]))
                    for first in range(0, len(chosen), _AT_ONCE)
                ]
            )
            rates.append(
                {
                    "kind": kind,
                    "place": name,
                    "negatives": len(chosen),
                    "false": int((scores >= threshold).sum()),
                    "rate": float((scores >= threshold).mean()),
                    "rate at 0.5": float((scores >= 0.5).mean()),
                }
            )
    return rates


def _minibatches(model: Model, which: str, samples: Samples, options: AnalysisOptions):
    plan = Plan(which, model.architectures[which], options.split, augmentation=None)
    return Minibatches(samples, plan)


def _write_map(looked: Looked, places: np.ndarray, names: dict, path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("image", "row", "col", "class", "score", "wrong", "x", "y"))
        for sample, score, wrong, place in zip(
            looked.samples, looked.scores, looked.wrong, places, strict=True
        ):
            number, row, col, sample_class = sample.tolist()
            cells = (names[number].name, row, col, CLASSES[sample_class], f"{score:.6f}")
            writer.writerow((*cells, int(wrong), f"{place[0]:.4f}", f"{place[1]:.4f}"))


def _write_rates(rates: list[dict], path: Path) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rates[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rates)


def _draw_rates(rates: list[dict], path: Path) -> None:
    groups: dict[str, dict[str, float]] = {}
    for rate in rates:
        groups.setdefault(rate["kind"], {})[rate["place"]] = 100 * rate["rate at 0.5"]
    bars(groups, "false positives among negatives, %, at 0.5", path)
