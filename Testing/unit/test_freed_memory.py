"""What a process does with the memory that it frees, and asks for again."""

import platform
import subprocess
import sys

SCRIPT = """
import resource
import numpy as np
from MicrocalcSegmentationLib.freed_memory import keep_freed_memory

def faults(rounds):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(rounds):
        np.ones(2**24, np.float32)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

faults(2)
given_back = faults(10)
print(keep_freed_memory())
faults(2)
print(given_back, faults(10))
"""


def test_memory_that_was_freed_is_used_again():
    """In a process of its own, for there is no way back."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True
    )
    kept, given_back, used_again = done.stdout.split()
    on_glibc = platform.libc_ver()[0] == "glibc"
    assert kept == str(on_glibc)
    if on_glibc:
        assert int(used_again) <= int(given_back) / 10
