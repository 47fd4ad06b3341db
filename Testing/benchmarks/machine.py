"""What the times were measured on."""

import os
import platform
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import numpy as np
from MicrocalcSegmentationLib.bands import cores


def median_of(count: int, work) -> float:
    """Median seconds of `count` calls, after one that does not count."""
    work()
    seconds = []
    for _ in range(count):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return median(seconds)


def matrix_product_rate(side: int = 2048) -> float:
    """Floating-point operations a second of a float32 matrix product by numpy's BLAS."""
    matrix = np.random.default_rng(0).random((side, side), dtype=np.float32)
    return 2 * side**3 / median_of(5, lambda: matrix @ matrix)


def describe() -> dict[str, str]:
    """Processor, cores, memory, libraries, and how busy the machine is already."""
    described = {
        "processor": _processor(),
        "cores": str(cores()),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if hasattr(os, "sysconf"):
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
        described["memory"] = f"{memory:.0f} GiB"
    if hasattr(os, "getloadavg"):
        described["load before"] = f"{os.getloadavg()[0]:.1f}"
    packages = ("numpy", "onnxruntime", "keras", "tensorflow", "tensorflow_cpu")
    described["libraries"] = ", ".join(
        f"{name} {found}" for name in packages if (found := _version(name))
    )
    return described | {"python": platform.python_version()}


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
