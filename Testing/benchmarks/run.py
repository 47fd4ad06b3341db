"""Measure the program on this machine, side by side, and write a table.

    python Testing/benchmarks/run.py --output DIR [--model MODEL] [--readme README.md]

Nothing is asserted about any time. DIR gets benchmark.md, benchmark.json and growth.png;
--readme puts the table between the README's two benchmark marks, and the plot in the folder of
its pictures.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import growth
import layers
import machine
import passes
import stages
from MicrocalcSegmentationLib import load_model
from MicrocalcSegmentationLib.inference.windows import candidate_mask, window_grid
from MicrocalcSegmentationLib.resampling import resize_mask
from MicrocalcSegmentationLib.settings import METHOD_SPACING_MM
from MicrocalcSegmentationLib.simulation.cases import CaseOptions, simulate_case, write_case
from MicrocalcSegmentationLib.working import working_breast

# (rows, cols), mm: the size that Valvano et al. 2019 name, and a usual digital one.
SIZES = {"full": ((5625, 4095), 0.05), "digital": ((3328, 2560), 0.07)}
PLAIN_LEVEL = 6.0  # local deviations of a typical MC: that there are clusters is to be found
SMALL = {"small": ((900, 700), 0.05)}  # --quick
MARKS = ("<!-- benchmark: made by Testing/benchmarks/run.py -->", "<!-- end of benchmark -->")


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)
    model = load_model(args.model)
    described = machine.describe()
    rate = machine.matrix_product_rate(512 if args.quick else 2048)
    repeats = 1 if args.quick else 5
    images = [args.image] if args.image else _simulated(args.output, args.quick)
    runs, subject = [], None
    for image in images:
        seconds, findings = stages.warm_stages(image, model, args.output, repeats)
        # The first and largest is what the networks are measured on.
        subject = subject or _subject(findings)
        runs.append(_described(findings) | {"stages, s": seconds})
        runs[-1]["cold, s"], runs[-1]["peak memory, MiB"] = stages.cold_run(image, model, repeats)
    measured = _passes(subject, model, args, repeats)
    result = {
        "model": f"{model.name} {model.version}",
        "machine": described,
        "matrix product, GFLOP/s": rate / 1e9,
        "images": runs,
        "passes": [asdict(one) for one in measured],
        "layers": layers.table(model, rate / machine.cores()),
        "growth": growth.measure(subject, model, "onnx"),
        "background": growth.with_background(subject, model, "onnx"),
    }
    growth.draw(result["growth"], args.output / "growth.png")
    table = _table(result, measured)
    (args.output / "benchmark.md").write_text(table, encoding="utf-8")
    (args.output / "benchmark.json").write_text(json.dumps(result, indent=2), encoding="utf-8")
    if args.readme:
        _put_into(args.readme, table)
        pictures = args.readme.parent / "Resources" / "Screenshots"
        if pictures.is_dir():
            growth.draw(result["growth"], pictures / "growth.png")
    print(table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--image", type=Path, help="instead of the simulated ones")
    parser.add_argument("--model", help="a model's folder or name, instead of the default one")
    parser.add_argument("--readme", type=Path, help="a file with the two benchmark marks")
    parser.add_argument("--quick", action="store_true", help="a small image, to try this out")
    return parser


def _simulated(folder: Path, quick: bool) -> list[Path]:
    """The images to measure on, made where they are not there yet."""
    images = []
    for name, (shape, spacing_mm) in (SMALL if quick else SIZES).items():
        found = sorted((folder / name).glob("*.dcm"))
        if not found:
            options = CaseOptions(
                spacing_mm=spacing_mm, shape=shape, clusters=1 if quick else 4, level=PLAIN_LEVEL
            )
            found = [write_case(simulate_case(11, options), folder / name)["image"]]
        images.append(found[0])
    return images


def _subject(findings) -> passes.Subject:
    """What the networks are given: as `pipeline` makes it."""
    working = working_breast(findings.mammogram, findings.breast)
    shape, inside = working.values.shape, working.inside
    candidates = resize_mask(findings.candidates[working.box], shape)
    if not candidates.any():  # then there is nothing to time the segmentator on
        candidates = candidate_mask(shape, window_grid(inside, 49), slice(1), 49) & inside
    return passes.Subject(working.values, inside, candidates)


def _passes(subject, model, args, repeats: int) -> list[passes.Pass]:
    sample = 64 if args.quick else 2048
    measured = []
    for engine in ("onnx", "keras"):
        measured += passes.dense_passes(subject, model, engine, repeats)
        measured += passes.reference_passes(subject, model, engine, repeats, sample)
    return [*measured, passes.unet_pass(subject, repeats)]


def _described(findings) -> dict[str, object]:
    mammogram = findings.mammogram
    mpx_at_method = mammogram.pixel_area_mm2 / METHOD_SPACING_MM**2 / 1e6
    return {
        "image": mammogram.source.name,
        "columns x rows": " x ".join(str(size) for size in mammogram.pixels.shape[::-1]),
        "spacing, mm": f"{mammogram.spacing_mm[0]:g}",
        "breast, Mpx of 0.05 mm": f"{findings.breast.sum() * mpx_at_method:.1f}",
        "candidates, Mpx of 0.05 mm": f"{findings.candidates.sum() * mpx_at_method:.2f}",
        "clusters found": len(findings.clusters),
    }


def _table(result: dict, measured: list[passes.Pass]) -> str:
    rate = result["matrix product, GFLOP/s"]
    lines = [
        f"Model: {result['model']}. Simulated images, which have no patient.",
        "Machine: " + "; ".join(f"{key} {text}" for key, text in result["machine"].items()) + ".",
        f"Matrix product of numpy, float32: {rate:.0f} GFLOP/s.",
        "",
        *_stages(result["images"]),
        "",
        "| pass over the whole image | seconds | GFLOP/s | of the matrix product | measured on |",
        "|---|---|---|---|---|",
        *(_row(one, rate) for one in measured),
        "",
        _comparison(measured),
        "The detector takes {:.2f} s, and {:.2f} s with half as much background again.".format(
            *result["background"]
        ),
        "",
        "One tile on one core:",
        "",
        result["layers"],
    ]
    return "\n".join(lines) + "\n"


def _stages(runs: list[dict]) -> list[str]:
    """A column for each image: what it is, seconds of each stage, and their sum."""
    about = ("columns x rows", *(key for key in runs[0] if "mm" in key), "clusters found")
    rows = {key: [run[key] for run in runs] for key in about}
    seconds = [run["stages, s"] for run in runs]
    for stage in seconds[0]:
        rows[stage] = [f"{of[stage]:.2f}" for of in seconds]
    warm = [sum(s for name, s in of.items() if not name.startswith("writing")) for of in seconds]
    rows["**warm, from file to findings**"] = [f"**{total:.2f}**" for total in warm]
    rows["a fresh process, from its start to the findings"] = [f"{r['cold, s']:.2f}" for r in runs]
    rows["peak memory of that process, MiB"] = [f"{r['peak memory, MiB']:.0f}" for r in runs]
    first, *rest = [f"| {name} | {' | '.join(map(str, row))} |" for name, row in rows.items()]
    return [first, "|---|" + "---|" * len(runs), *rest]


def _row(one: passes.Pass, rate: float) -> str:
    if one.operations is None:
        return f"| {one.name} | {one.seconds:.1f} | | | {one.how} |"
    reached = one.operations / one.seconds / 1e9
    share = f"{100 * reached / rate:.0f} %"
    return f"| {one.name} | {one.seconds:.2f} | {reached:.0f} | {share} | {one.how} |"


def _comparison(measured: list[passes.Pass]) -> str:
    def both(kind: str, engine: str) -> float:
        return sum(one.seconds for one in measured if one.name.endswith(f"{kind}, {engine}"))

    reference = both("patch by patch", "keras")
    return " ".join(
        f"Both networks, dense on {engine}: {reference / both('dense', engine):.0f} times "
        "faster than the reference (patch by patch on Keras)."
        for engine in ("onnx", "keras")
    )


def _put_into(readme: Path, table: str) -> None:
    text = readme.read_text(encoding="utf-8")
    before, _, rest = text.partition(MARKS[0])
    _, found, after = rest.partition(MARKS[1])
    if not found:
        raise SystemExit(f"{readme}: has no lines {MARKS[0]} and {MARKS[1]}")
    readme.write_text(f"{before}{MARKS[0]}\n{table}{found}{after}", encoding="utf-8")


if __name__ == "__main__":
    raise SystemExit(main())
