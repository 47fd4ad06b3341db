"""Where the time of a dense pass goes: each layer, and what lies between the layers.

    python Testing/benchmarks/layers.py [MODEL]

One tile on one core, as `inference.dense` runs it with ONNX Runtime; the matrix product that
it is set against is of one core too.
"""

import json
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from MicrocalcSegmentationLib import load_model
from MicrocalcSegmentationLib.model import NETWORKS, Model, onnx_name
from MicrocalcSegmentationLib.networks import LAYERS
from operations import of_layers

ANSWERS = {"detector": 16, "segmentator": 256}  # a side of the tile
_RUNS = 7


@dataclass(frozen=True)
class Step:
    """A layer or what is done between layers; operations is 0 for what only moves numbers."""

    name: str
    operations: float
    seconds: float


def profile(model: Model, which: str) -> list[Step]:
    """The steps of one tile in order, each at its quickest of some runs."""
    architecture = model.architectures[which]
    step = architecture.shared_step(which)
    side = step * (ANSWERS[which] - 1) + architecture.seen_side
    nodes = _quickest(model.file_bytes(onnx_name(which, "shared")), side)
    operations = iter(zip(LAYERS, of_layers(architecture, step, (side, side)), strict=True))
    steps = []
    for operator, seconds in nodes:
        if operator == "Conv":
            steps.append(Step(*next(operations), seconds))
        elif operator == "MaxPool":
            steps.append(Step("pooling", 0.0, seconds))
        else:
            steps.append(Step("rearranging", 0.0, seconds))
    return steps


def table(model: Model, rate: float) -> str:
    """Markdown; rate: of one core's matrix product, operations a second."""
    lines = ["| network, step | GFLOP | ms | of the matrix product |", "|---|---|---|---|"]
    for which in NETWORKS:
        if model.architectures[which].shared_step(which) is None:
            continue
        steps = profile(model, which)
        rearranging = sum(step.seconds for step in steps if step.name == "rearranging")
        steps = [step for step in steps if step.name != "rearranging"]
        steps.append(Step("rearranging maps", 0.0, rearranging))
        total = (sum(step.operations for step in steps), sum(step.seconds for step in steps))
        lines += [_row(which, step, rate) for step in (*steps, Step("**all**", *total))]
    return "\n".join(lines)


def _row(which: str, step: Step, rate: float) -> str:
    if not step.operations:
        return f"| {which}, {step.name} | | {1e3 * step.seconds:.1f} | |"
    share = f"{100 * step.operations / step.seconds / rate:.1f} %"
    return (
        f"| {which}, {step.name} | {step.operations / 1e9:.2f} | {1e3 * step.seconds:.1f} "
        f"| {share} |"
    )


def _quickest(graph: bytes, side: int) -> list[tuple[str, float]]:
    """(operator, seconds) of each node as ONNX Runtime runs it."""
    pixels = np.random.default_rng(0).normal(0, 1, (1, 1, side, side)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(Path(folder) / "profile")
        session = onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])
        for _ in range(_RUNS):
            session.run(None, {"pixels": pixels})
        events = json.loads(Path(session.end_profiling()).read_text())
    nodes: dict[str, tuple[str, float]] = {}
    for event in events:
        if event.get("cat") == "Node" and event["name"].endswith("_kernel_time"):
            name, seconds = event["name"], event["dur"] / 1e6
            before = nodes.get(name, ("", np.inf))[1]
            nodes[name] = (event["args"]["op_name"], min(seconds, before))
    return list(nodes.values())


def main() -> int:
    """Print the table."""
    import machine

    model = load_model(sys.argv[1] if len(sys.argv) > 1 else None)
    print(table(model, machine.matrix_product_rate() / machine.cores()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
