"""The memory of a process that asks for the same large blocks again and again."""

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4  # of mallopt in glibc's malloc.h


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees, to use it again.

    Each minibatch, and each simulated image, asks for the same large blocks and frees them. By
    default glibc gives them back to the system, which clears every page anew at the next one:
    half of the time of training on two cores went there, and a quarter of that of simulation.
    For a process that does that and then ends; it holds its highest need until then. Returns
    False where the C library is another one, which is left as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):  # not glibc; Windows has no library of no name
        return False
    return bool(mallopt(_M_MMAP_MAX, 0)) and bool(mallopt(_M_TRIM_THRESHOLD, -1))
