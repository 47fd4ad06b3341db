"""Tables and charts of an experiment, laid out as the method's Table 2."""

import csv
import io
import json
from functools import partial
from pathlib import Path

from ..export.staging import write_all
from ..model import NETWORKS
from .charts import bars, curves
from .experiments import AT_A_RATE, LEFT_OUT, WHOLE, Experiment, without

_CLASSES = ("C1", "C2", "C3", "C4", "region")
PUBLISHED = {"detector": 98.22, "segmentator": 97.47}  # per cent; Valvano et al. 2019
_WHOLE_LABELS = {
    "pixel_accuracy": "whole-image pixel accuracy",
    "pixel_fpr": "whole-image false-positive rate",
    "pixel_fpr_breast": "false-positive rate in the breast",
    "mc_sensitivity": "MC sensitivity",
    "cluster_sensitivity": "cluster sensitivity",
    "mc_sensitivity_at_0.4_fp_per_cm2": "MC sensitivity at 0.4 FP/cm2",
    "cluster_sensitivity_at_0.35_false_per_image": "cluster sensitivity at 0.35 false/image",
}


def write_results(one: Experiment, results: dict[str, dict], folder: Path) -> str:
    """Write table.md, table.csv, results.json, errors.png and a curve per network.

    Returns the table as text.
    """
    table = as_markdown(one, results)
    writers = {
        "table.md": lambda path: path.write_text(table + "\n", encoding="utf-8"),
        "table.csv": lambda path: path.write_text(as_csv(results), encoding="utf-8"),
        "results.json": lambda path: path.write_text(json.dumps(results, indent=1), "utf-8"),
        "errors.png": partial(_error_bars, results),
    }
    for which in NETWORKS:
        histories = {name: result["checks"][which] for name, result in results.items()}
        writers[f"{which}.png"] = partial(curves, histories, which)
    write_all(folder, writers)
    return table


def as_markdown(one: Experiment, results: dict[str, dict]) -> str:
    """Error of each class and overall accuracy, per cent: a column per network and variant."""
    data = next(iter(results.values()))["data"]
    heads = [f"{which}, {name}" for which in NETWORKS for name in results]
    lines = [
        f"Errors on test patches, per cent, at probability 0.5. Data: {data}.",
        "",
        f"| class | {' | '.join(heads)} |",
        f"|---|{'---:|' * len(heads)}",
    ]
    for name in _CLASSES:
        cells = [results[v]["errors"][w].get(name) for w in NETWORKS for v in results]
        if any(cell is not None for cell in cells):
            lines.append(f"| {name} | {' | '.join(_per_cent(cell) for cell in cells)} |")
    cells = [results[v]["errors"][w]["accuracy"] for w in NETWORKS for v in results]
    lines.append(f"| **accuracy** | {' | '.join(_per_cent(cell) for cell in cells)} |")
    published = [f"{PUBLISHED[which]:.2f}" for which in NETWORKS for _ in results]
    lines.append(f"| published (other data) | {' | '.join(published)} |")
    if any(result["whole"] for result in results.values()):
        images = next(iter(results.values()))["images"]
        lines += ["", f"| {images} whole test images | {' | '.join(results)} |"]
        lines.append(f"|---|{'---:|' * len(results)}")
        for name in WHOLE + AT_A_RATE:
            cells = [_figure(result["whole"].get(name)) for result in results.values()]
            lines.append(f"| {_WHOLE_LABELS[name]} | {' | '.join(cells)} |")
    if one.name == LEFT_OUT:
        lines += _left_out(results)
    if data == "simulated":
        lines += ["", "All data are simulated: the figures say nothing about real images."]
    return "\n".join(lines)


def _left_out(results: dict[str, dict]) -> list[str]:
    """What a kind of image loses where no network has learnt from it, in points."""
    lines = []
    for kind, known in results["all"]["by kind"].items():
        unknown = results[without(kind)]["by kind"][kind]
        head = f"| whole test images, {kind} | all | {without(kind)} | points lost |"
        lines += ["", head, "|---|---:|---:|---:|"]
        for name in AT_A_RATE:
            before, after = known[name]["value"], unknown[name]["value"]
            lost = "-" if None in (before, after) else f"{100 * (before - after):.1f}"
            cells = (_WHOLE_LABELS[name], _figure(known[name]), _figure(unknown[name]), lost)
            lines.append(f"| {' | '.join(cells)} |")
    return lines


def as_csv(results: dict[str, dict]) -> str:
    """variant, network, class, error, patches; one line each."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("variant", "network", "class", "error", "patches"))
    for name, result in results.items():
        for which in NETWORKS:
            patches = result["patches"][which]
            counts = {name: patches.get(str(c)) for c, name in enumerate(_CLASSES, 1)}
            for what, value in result["errors"][which].items():
                error = 1 - value if what == "accuracy" else value
                label = "all, balanced" if what == "accuracy" else what
                writer.writerow((name, which, label, f"{error:.6f}", counts.get(what) or ""))
    return out.getvalue()


def _error_bars(results: dict[str, dict], path: Path) -> None:
    groups = {
        name: {
            f"{which}\n{what}": 100 * error
            for which in NETWORKS
            for what, error in result["errors"][which].items()
            if what != "accuracy"
        }
        for name, result in results.items()
    }
    bars(groups, "error on test patches, %", path)


def _per_cent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.2f}"


def _figure(figure: dict | None) -> str:
    if figure is None or figure["value"] is None:
        return "-"
    text = f"{figure['value']:.6f}"
    return text if figure["low"] is None else f"{text} [{figure['low']:.6f}, {figure['high']:.6f}]"
