"""Measure the program on this machine, side by side, and write a table.

    python Testing/benchmarks/run.py --output DIR [--image FILE] [--readme README.md]

Nothing is asserted about any time. DIR gets benchmark.md, benchmark.json and growth.png;
--readme puts the table between the README's two benchmark marks.
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

import growth
import machine
import passes
import stages
from MicrocalcSegmentationLib import load_model
from MicrocalcSegmentationLib.inference.windows import candidate_mask, window_grid
from MicrocalcSegmentationLib.resampling import resize_mask
from MicrocalcSegmentationLib.simulation.cases import CaseOptions, simulate_case, write_case
from MicrocalcSegmentationLib.working import working_breast

SHAPES = {False: (5625, 4095), True: (900, 700)}  # Valvano et al. 2019; --quick
MARKS = ("<!-- benchmark: made by Testing/benchmarks/run.py -->", "<!-- end of benchmark -->")


def main(argv: list[str] | None = None) -> int:
    args = _parser().parse_args(argv)
    args.output.mkdir(parents=True, exist_ok=True)
    image = args.image or _simulated(args.output, args.quick)
    model = load_model()
    described = machine.describe()
    rate = machine.matrix_product_rate(512 if args.quick else 2048)
    repeats = 1 if args.quick else 3
    seconds, findings = stages.warm_stages(image, model, args.output, repeats)
    cold_seconds, peak_mib = stages.cold_run(image)
    subject = _subject(findings)
    measured = _passes(subject, model, args, repeats)
    result = {
        "image": _described_image(findings, subject),
        "machine": described,
        "matrix product, GFLOP/s": rate / 1e9,
        "stages, s": seconds,
        "cold, s": cold_seconds,
        "peak memory, MiB": peak_mib,
        "passes": [asdict(one) for one in measured],
        "growth": growth.measure(subject, model, "onnx"),
        "background": growth.with_background(subject, model, "onnx"),
    }
    growth.draw(result["growth"], args.output / "growth.png")
    table = _table(result, measured)
    (args.output / "benchmark.md").write_text(table, encoding="utf-8")
    (args.output / "benchmark.json").write_text(json.dumps(result, indent=2), encoding="utf-8")
    if args.readme:
        _put_into(args.readme, table)
    print(table)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--image", type=Path, help="instead of a simulated one")
    parser.add_argument("--readme", type=Path, help="a file with the two benchmark marks")
    parser.add_argument("--quick", action="store_true", help="a small image, to try this out")
    return parser


def _simulated(folder: Path, quick: bool) -> Path:
    name = "small" if quick else "full"
    found = sorted((folder / name).glob("*.dcm"))
    if found:
        return found[0]
    options = CaseOptions(spacing_mm=0.05, shape=SHAPES[quick], clusters=1 if quick else 4)
    return write_case(simulate_case(11, options), folder / name)["image"]


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
        measured += passes.reference_passes(subject, model, engine, sample)
    return [*measured, passes.unet_pass(subject, repeats)]


def _described_image(findings, subject) -> str:
    rows, cols = findings.mammogram.pixels.shape
    return (
        f"{findings.mammogram.source.name}: {rows} x {cols} pixels, breast "
        f"{subject.inside.sum() / 1e6:.1f} Mpx, candidates {subject.candidates.sum() / 1e6:.2f} "
        f"Mpx, {len(findings.clusters)} clusters"
    )


def _table(result: dict, measured: list[passes.Pass]) -> str:
    rate = result["matrix product, GFLOP/s"]
    warm = sum(s for stage, s in result["stages, s"].items() if not stage.startswith("writing"))
    lines = [
        f"Image: {result['image']} (simulated images have no patient).",
        "Machine: " + "; ".join(f"{key} {text}" for key, text in result["machine"].items()) + ".",
        f"Matrix product of numpy, float32: {rate:.0f} GFLOP/s.",
        "",
        "| from file to findings | seconds |",
        "|---|---|",
        *(f"| {stage} | {seconds:.2f} |" for stage, seconds in result["stages, s"].items()),
        f"| **warm, sum** | **{warm:.2f}** |",
        f"| a fresh process, from its start to the findings | {result['cold, s']:.2f} |",
        "",
        f"Peak memory of that process: {result['peak memory, MiB']:.0f} MiB.",
        "",
        "| pass over the whole image | seconds | GFLOP/s | of the matrix product | measured on |",
        "|---|---|---|---|---|",
        *(_row(one, rate) for one in measured),
        "",
        _comparison(measured),
        "The detector takes {:.2f} s, and {:.2f} s with half as much background again.".format(
            *result["background"]
        ),
    ]
    return "\n".join(lines) + "\n"


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
