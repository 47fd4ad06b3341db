"""From two trained networks to a model folder: thresholds, figures, manifest, card."""

import json
from collections import Counter
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..errors import InputError
from ..model import NETWORKS, Model, read_weights, save_model, write_weights
from ..networks import Architecture, build
from ..progress import Part, Progress
from . import libraries
from .card import write_card
from .learning import Course, Learned, learn
from .minibatches import SHARES, Minibatches, Plan
from .samples.access import Samples, Selection
from .samples.classes import C2, C3, C4, CLASSES
from .scoring import class_errors, class_scores

WINDOWS_KEPT = 0.9  # of validation patches with an MC in them; an MC lies in four windows
FALSE_POSITIVE_RATE = 5e-5  # of breast pixels: the method's own 0.005 %
DONE = "done.json"


@dataclass(frozen=True)
class Order:
    """What to train, on what, and where its model and its work go.

    kinds: of the images to learn from and to choose thresholds by; None takes all.
    """

    samples: Path
    output: Path
    work: Path
    name: str
    version: str = "1"
    kinds: tuple[str, ...] | None = None


def train_network(
    which: str, architecture: Architecture, course: Course, order: Order, progress: Progress
) -> Model | None:
    """Train one network; the finished model when the other one is trained already, else None.

    The work folder keeps each network's checkpoint, logs and result, so that the same call
    goes on where it stopped. Raises InputError.
    """
    folder = order.work / which
    with closing(Samples(order.samples, order.kinds)) as samples:
        learned = learn(which, architecture, samples, course, (folder, Part(progress, 0, 0.97)))
        progress.report(0.97, f"{which}: choosing its threshold")
        plan = Plan(which, architecture, "validation", augmentation=None)
        judged = _judged(learned, Minibatches(samples, plan), samples, course)
        judged |= _learnt_from(samples, plan)
    _write_done(folder, learned, architecture, course, judged)
    if not all((order.work / name / DONE).is_file() for name in NETWORKS):
        return None
    model = assemble(order)
    progress.report(1.0, f"model written to {order.output}")
    return model


def assemble(order: Order) -> Model:
    """Write the model of two finished networks, with manifest and card."""
    done = {which: _read_done(order.work / which) for which in NETWORKS}
    architectures = {which: done[which][0] for which in NETWORKS}
    said = {which: done[which][1] for which in NETWORKS}
    networks = {}
    for which in NETWORKS:
        networks[which] = build(architectures[which], which)
        read_weights(networks[which], order.work / which / "best.npz")
    model = Model(
        name=order.name,
        version=order.version,
        folder=order.output,
        architectures=architectures,
        threshold=said["segmentator"]["threshold"],
        detector_threshold=said["detector"]["threshold"],
        figures=_figures(said),
        training=_record(said),
    )
    save_model(model, networks)
    write_card(model)
    return model


def _judged(learned: Learned, minibatches: Minibatches, samples: Samples, course: Course) -> dict:
    """Threshold and figures on the validation split."""
    which = minibatches.plan.network
    wanted = {c: course.judged for shares in SHARES[which] for c in shares}
    wanted[C4] = course.judged_far
    scores = class_scores(learned.network, minibatches, samples, wanted)
    errors = class_errors(which, scores)
    figures = {f"{which}, balanced accuracy at 0.5": errors.pop("accuracy")}
    figures |= {f"{which}, error of {name} at 0.5": error for name, error in errors.items()}
    if which == "detector":
        threshold = _passing(scores, WINDOWS_KEPT)
        passed = float((scores[C4] >= threshold).mean())
        figures |= {"windows with an MC passed": WINDOWS_KEPT, "windows without one passed": passed}
    else:
        threshold, rate = _rare_enough(scores, samples, minibatches.plan.architecture)
        kept = float((scores[1] >= threshold).mean())
        figures |= {"MC pixels kept": kept, "false-positive rate of breast pixels": rate}
    return {"threshold": threshold, "figures": figures}


def _passing(scores: dict[int, np.ndarray], share: float) -> float:
    """The highest threshold that passes this share of the positives, in their stated mixture."""
    shares = {c: part for c, part in SHARES["detector"][0].items() if c in scores}
    values = np.concatenate([scores[c] for c in shares])
    weights = np.concatenate([np.full(len(scores[c]), shares[c] / len(scores[c])) for c in shares])
    order = np.argsort(values)[::-1]
    passed = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][min(np.searchsorted(passed, share), len(values) - 1)])


def _rare_enough(
    scores: dict[int, np.ndarray], samples: Samples, architecture: Architecture
) -> tuple[float, float]:
    """The lowest threshold at which false pixels are as rare as the method's, and their rate.

    Each class of negatives counts as often as it occurs in the images, which the database
    knows. Windows that the detector rejects are not taken off: the pair does better.
    """
    occurring = {
        c: samples.select(Selection(architecture.patch_side, (c,), ("validation",))).count
        for c in (C2, C3, C4)
        if c in scores
    }
    total = sum(occurring.values())
    values = np.concatenate([scores[c] for c in occurring])
    weights = np.concatenate(
        [np.full(len(scores[c]), occurring[c] / total / len(scores[c])) for c in occurring]
    )
    order = np.argsort(values)[::-1]
    rates = np.cumsum(weights[order])
    allowed = int(np.searchsorted(rates, FALSE_POSITIVE_RATE, side="right"))
    # Just above the first score that would be one too many; 0.5 is the method's own.
    threshold = 0.5 if allowed >= len(values) else float(np.nextafter(values[order][allowed], 2))
    threshold = min(max(threshold, 0.5), 1.0)
    return threshold, float(weights[values >= threshold].sum())


def _write_done(folder: Path, learned: Learned, architecture, course: Course, judged: dict) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_weights(learned.network, folder / "best.npz")
    said = {
        "architecture": asdict(architecture),
        "course": asdict(course),
        "ended": learned.state.finished,
        "steps": learned.state.step,
        "best step": learned.state.best_step,
        "checks": learned.state.history,
        **judged,
    }
    beside = folder / f"{DONE}.part"
    beside.write_text(json.dumps(said, indent=1), encoding="utf-8")
    beside.replace(folder / DONE)


def _read_done(folder: Path) -> tuple[Architecture, dict]:
    try:
        said = json.loads((folder / DONE).read_text("utf-8"))
        shape = said["architecture"]
        if "data" not in said:
            raise InputError(
                f"{folder / DONE}: does not say what it learnt from, as an earlier version wrote "
                "it; train this network again in another --work"
            )
        return Architecture(**{**shape, "channels": tuple(shape["channels"])}), said
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{folder / DONE}: damaged ({error}); train this network again") from error


def _learnt_from(samples: Samples, plan: Plan) -> dict:
    """What the manifest says of a network's data, and of what it was trained with."""
    images = samples.images()
    groups = Counter(f"{image.split}, {image.source}, {image.kind}" for image in images)
    sources = sorted({image.source for image in images})
    return {
        "data": {
            "database": samples.path.name,
            "sha256": samples.digest(),
            "images": dict(groups),
            "split seed": samples.split_seed,
            "mined": len(samples.mined(plan.network, plan.architecture.patch_side)),
        },
        "measured on": f"validation patches ({', '.join(sources)})",
        "augmentation": asdict(Plan(plan.network, plan.architecture).augmentation),
        "libraries": libraries.versions(),
    }


def _record(said: dict) -> dict:
    return {
        "command": "microcalc train detector; microcalc train segmentator",
        "normalisation": "local deviations above the local mean, at 0.05 mm",
        "samples": {
            which: [{CLASSES[c]: share for c, share in shares.items()} for shares in SHARES[which]]
            for which in NETWORKS
        },
        "networks": {
            which: {k: v for k, v in one.items() if k not in ("figures", "architecture")}
            for which, one in said.items()
        },
    }


def _figures(said: dict) -> dict[str, dict[str, float]]:
    """By what they were measured on: two networks may have learnt from two databases."""
    figures: dict[str, dict[str, float]] = {}
    for which in NETWORKS:
        figures.setdefault(said[which]["measured on"], {}).update(said[which]["figures"])
    return figures
