"""How long a mammogram of 4095 x 5625 pixels takes to simulate on one core.

    python Testing/benchmarks/simulating.py [--count N] [--quick]

Prints seconds of processor time, for other programs do not lengthen that, and of the clock.
Nothing is asserted about any time.
"""

import argparse
import os
import time

# Read by the libraries of linear algebra when they are loaded.
os.environ.update({"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"})

import machine
from MicrocalcSegmentationLib.simulation.cases import KINDS, CaseOptions, simulate_case

SHAPES = {False: (5625, 4095), True: (600, 400)}  # Valvano et al. 2019; --quick
SPACING_MM = {False: 0.05, True: 0.4}
FIRST_SEED = 11


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=3, help="of each kind (default: 3)")
    parser.add_argument("--quick", action="store_true", help="small images, to try this out")
    args = parser.parse_args(argv)
    print("; ".join(f"{key} {text}" for key, text in machine.describe().items()))
    simulate_case(0, CaseOptions(spacing_mm=0.8, shape=(300, 200)))  # reads what is read once
    for kind in KINDS:
        options = CaseOptions(kind, SPACING_MM[args.quick], SHAPES[args.quick])
        taken = [_seconds(FIRST_SEED + number, options) for number in range(args.count)]
        processor, clock = (sorted(times) for times in zip(*taken, strict=True))
        print(
            f"{kind:8}{' x '.join(map(str, options.shape))}: "
            f"{processor[len(processor) // 2]:.1f} s ({processor[0]:.1f} to {processor[-1]:.1f}), "
            f"by the clock {clock[len(clock) // 2]:.1f} s, {args.count} mammograms"
        )
    return 0


def _seconds(seed: int, options: CaseOptions) -> tuple[float, float]:
    processor, clock = time.process_time(), time.perf_counter()
    simulate_case(seed, options)
    return time.process_time() - processor, time.perf_counter() - clock


if __name__ == "__main__":
    raise SystemExit(main())
