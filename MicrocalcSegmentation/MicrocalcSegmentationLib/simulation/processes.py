"""Jobs on all cores, that Ctrl-C stops."""

import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children, get_context
from typing import TypeVar

from ..errors import InputError
from ..freed_memory import keep_freed_memory

Result = TypeVar("Result")

_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS")


def available_cores() -> int:
    """How many cores this process may use; containers and job schedulers give it fewer."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def run_all(jobs: Iterable[Callable[[], Result]], processes: int) -> Iterator[Result]:
    """Results as they come, in no order; with one process all jobs run in this one.

    jobs: picklable for more than one process, where each has one thread for its linear
    algebra. When the caller stops, waiting jobs are dropped; Ctrl-C ends those that run,
    too. Raises what a job raises, and InputError when a process dies.
    """
    if processes == 1:
        yield from (job() for job in jobs)
        return
    with _one_thread_each():
        # Spawned, not forked: threads of the libraries loaded here do not survive a fork.
        others = set(active_children())
        pool = ProcessPoolExecutor(processes, get_context("spawn"), _settle)
        try:
            yield from _results(pool, jobs, 2 * processes)
        except BrokenProcessPool as error:
            raise InputError(
                "a process was ended from outside, for lack of memory perhaps; give the same "
                "command again with fewer --jobs"
            ) from error
        except BaseException:  # Ctrl-C and a caller that stops, too: no job is waited for
            for process in set(active_children()) - others:
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _results(pool, jobs: Iterable[Callable[[], Result]], ahead: int) -> Iterator[Result]:
    """Keeps as many jobs submitted as keep the pool busy."""
    running = set()
    for job in jobs:
        running.add(pool.submit(job))
        if len(running) >= ahead:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            yield from (future.result() for future in done)
    while running:
        done, running = wait(running, return_when=FIRST_COMPLETED)
        yield from (future.result() for future in done)


def _settle() -> None:
    keep_freed_memory()
    # At a terminal Ctrl-C reaches every process. The parent alone decides: workers that died
    # of it first would look like workers ended for lack of memory.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextmanager
def _one_thread_each():
    """For processes started meanwhile: they read these when they load their libraries."""
    before = {name: os.environ.get(name) for name in _THREADS}
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
