"""The method's experiments: pairs that differ in one thing, trained and judged alike."""

import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import InputError
from ..findings import Findings
from ..mammogram import Mammogram
from ..model import NETWORKS, Model, load_model
from ..networks import PADDINGS, Architecture
from ..progress import Part, Progress
from ..settings import Settings
from ..training.datasets.annotated import MC_LEVEL
from ..training.finishing import Order, train_network
from ..training.learning import Course
from ..training.minibatches import SHARES, Minibatches, Plan
from ..training.samples.access import Samples
from ..training.scoring import class_errors, class_scores
from .cases import Case
from .report import summarise
from .runs import Run, evaluate
from .store import Store
from .stored_cases import stored_cases

Segment = Callable[[Mammogram, Model, Settings, Progress], Findings]

SIDES = (29, 39, 49)
WHOLE = ("pixel_accuracy", "pixel_fpr", "pixel_fpr_breast", "mc_sensitivity", "cluster_sensitivity")
AT_A_RATE = (  # thresholds apart: each pair's own stand at other rates of false marks
    "mc_sensitivity_at_0.4_fp_per_cm2",
    "cluster_sensitivity_at_0.35_false_per_image",
)
LEFT_OUT = "kinds"  # name of the experiment that leaves out one kind of image after the other
RESULT = "result.json"
MODEL = "model"
SAMPLES = "samples_sha256"  # in a result's key


@dataclass(frozen=True)
class Variant:
    """architecture: of both networks. kinds: of the images they learn from; None takes all."""

    architecture: Architecture
    kinds: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Experiment:
    """variants: by name."""

    name: str
    variants: dict[str, Variant]


@dataclass(frozen=True)
class Setting:
    """What all variants share.

    course: of both networks. whole_images: on how many whole test images of each kind the
    pairs are judged as well; None takes all. segment: what does that; settings: with what.
    test_patches: of each class; all of them where there are fewer.
    """

    samples: Path
    output: Path
    course: Course
    segment: Segment
    settings: Settings
    whole_images: int | None = None
    test_patches: int = 5000


def experiment(
    name: str, side: int = 49, padding: str = "valid", kinds: tuple[str, ...] = ()
) -> Experiment:
    """ "padding" compares same, valid and context at one N; "side" N = 29, 39 and 49.

    "kinds" compares a pair that learns from all of these kinds of image with pairs that learn
    from all but one.
    """
    if name == "padding":
        order = ("same", "valid", *(p for p in PADDINGS if p not in ("same", "valid")))
        return Experiment(name, {one: Variant(Architecture(side, one)) for one in order})
    if name == "side":
        return Experiment(name, {f"N = {n}": Variant(Architecture(n, padding)) for n in SIDES})
    if name == LEFT_OUT:
        return Experiment(name, _leaving_one_out(Architecture(side, padding), kinds))
    raise InputError(f"experiment {name!r} is unknown; use padding, side or {LEFT_OUT}")


def _leaving_one_out(architecture: Architecture, kinds: tuple[str, ...]) -> dict[str, Variant]:
    if len(kinds) < 2:
        raise InputError(
            f"all images are of kind {', '.join(kinds) or 'none'}; to leave one out takes two"
        )
    others = {kind: tuple(one for one in kinds if one != kind) for kind in kinds}
    return {
        "all": Variant(architecture),
        **{without(kind): Variant(architecture, others[kind]) for kind in kinds},
    }


def without(kind: str) -> str:
    """Name of the variant that has not learnt from a kind of image."""
    return f"without {kind}"


def run_experiment(one: Experiment, setting: Setting, progress: Progress) -> dict[str, dict]:
    """Train every variant, then judge each; returns name -> result. Finished ones are kept.

    A result holds "errors" (network -> class -> share, and "accuracy"), "patches" (how many of
    each class), "images" (how many whole ones), "whole" (figures on those), "by kind" (the
    same on those of each kind, where there are several), "checks" and "data".
    With more steps, images or patches than the folder's results have, it goes on from those;
    raises InputError when they are of other settings, or of a database that has changed since.
    """
    keys = {name: _key(setting, variant) for name, variant in one.variants.items()}
    folders = {
        name: setting.output / name.replace(" ", "").replace("=", "") for name in one.variants
    }
    results = {name: _stored(folders[name] / RESULT, key) for name, key in keys.items()}
    missing = [name for name, result in results.items() if result is None]
    for number, name in enumerate(missing):
        part = Part(progress, 0.8 * number / len(missing), 0.8 * (number + 1) / len(missing))
        _train(folders[name], one.variants[name], setting, part)
    for number, name in enumerate(missing):
        begin, end = (0.8 + 0.2 * n / len(missing) for n in (number, number + 1))
        part = Part(progress, begin, end)
        results[name] = _judge(folders[name], keys[name], setting, part)
    return results


def _key(setting: Setting, variant: Variant) -> dict:
    with closing(Samples(setting.samples)) as samples:
        digest = samples.digest()
    said = {
        "architecture": asdict(variant.architecture),
        "course": asdict(setting.course),
        SAMPLES: digest,
        "whole_images": setting.whole_images,
        "test_patches": setting.test_patches,
    }
    if variant.kinds is not None:
        said["kinds"] = variant.kinds
    return json.loads(json.dumps(said))


def _stored(path: Path, wanted: dict) -> dict | None:
    if not path.is_file():
        return None
    result = json.loads(path.read_text("utf-8"))
    stored = result["key"]
    if stored == wanted:
        return result
    if stored.get(SAMPLES) != wanted[SAMPLES]:
        why = (
            "the database has changed since"
            if SAMPLES in stored
            else "does not say of which samples it is, as an earlier version wrote it"
        )
        raise InputError(f"{path}: {why}; begin anew with another --output")
    if _fixed(stored) != _fixed(wanted):
        raise InputError(
            f"{path}: is of other settings; give those it was made with, or another --output"
        )
    return None


def _fixed(key: dict) -> dict:
    """What must be the same for going on: all but how much is learnt from and judged."""
    kept = {k: v for k, v in key.items() if k not in ("whole_images", "test_patches")}
    return {**kept, "course": {k: v for k, v in key["course"].items() if k != "steps"}}


def _train(folder: Path, variant: Variant, setting: Setting, progress: Progress) -> None:
    order = Order(
        setting.samples, folder / MODEL, folder / "work", folder.name, kinds=variant.kinds
    )
    for which, (start, stop) in zip(NETWORKS, ((0, 0.5), (0.5, 1)), strict=True):
        part = Part(progress, start, stop)
        train_network(which, variant.architecture, setting.course, order, part)


def _judge(folder: Path, key: dict, setting: Setting, progress: Progress) -> dict:
    model = load_model(folder / MODEL)
    samples = Samples(setting.samples)
    errors, patches = {}, {}
    for which in NETWORKS:
        plan = Plan(which, model.architectures[which], "test", augmentation=None)
        wanted = {c: setting.test_patches for shares in SHARES[which] for c in shares}
        minibatches = Minibatches(samples, plan)
        scores = class_scores(model.network(which), minibatches, samples, wanted)
        errors[which] = class_errors(which, scores)
        patches[which] = {str(c): len(values) for c, values in scores.items()}
    sources = sorted({image.source for image in samples.images()})
    samples.close()
    whole, images = _whole_images(folder, model, setting, progress)
    result = {
        "key": key,
        "data": ", ".join(sources),
        "errors": errors,
        "patches": patches,
        "images": images,
        "whole": whole.pop("all", {}),
        "by kind": whole,
        "checks": {w: model.training["networks"][w]["checks"] for w in NETWORKS},
    }
    beside = folder / f"{RESULT}.part"
    beside.write_text(json.dumps(result, indent=1), encoding="utf-8")
    beside.replace(folder / RESULT)
    return result


def _first_of_each_kind(cases: list[Case], setting: Setting) -> list[Case]:
    kinds = {case.name.kind for case in cases}
    own = ([case for case in cases if case.name.kind == kind] for kind in sorted(kinds))
    return [case for some in own for case in some[: setting.whole_images]]


def _whole_images(folder: Path, model: Model, setting: Setting, progress: Progress):
    """Figures on whole test images, of "all" and of each kind; and how many images."""
    if setting.whole_images == 0:
        return {}, 0

    def segment_one(mammogram: Mammogram, part: Progress) -> Findings:
        return setting.segment(mammogram, model, setting.settings, part)

    key = {"weights": dict(model.digests), "settings": asdict(setting.settings)}
    run = Run(segment_one, key, Store(folder / "cases"))
    cases = _first_of_each_kind(stored_cases(setting.samples, levels=(MC_LEVEL,)), setting)
    outcome = evaluate(cases, run, progress)
    if outcome.refused:
        raise InputError("; ".join(outcome.refused.values()))
    figures = {
        group.name: {
            figure.key: {"value": figure.value, "low": figure.low, "high": figure.high}
            for figure in group.figures
            if figure.key in WHOLE + AT_A_RATE
        }
        for group in summarise(outcome.scores)
    }
    return figures, len(cases)
