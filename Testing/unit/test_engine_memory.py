"""Engines that run out of memory on purpose: the answers must not change."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from MicrocalcSegmentationLib.errors import MicrocalcError
from MicrocalcSegmentationLib.inference import engines
from MicrocalcSegmentationLib.inference.engines import onnx_engine
from MicrocalcSegmentationLib.inference.engines.memory import (
    OutOfMemory,
    careful,
    is_out_of_memory,
)
from MicrocalcSegmentationLib.inference.network import Network
from MicrocalcSegmentationLib.networks import Architecture
from numpy.lib.stride_tricks import sliding_window_view

ARCHITECTURE = Architecture()
SEEN = ARCHITECTURE.seen_side


def network(step, most=np.inf, given_sizes=None):
    """Sums what a network sees; out of memory for more than `most` pixels."""

    def shared(pixels):
        if given_sizes is not None:
            given_sizes.append(pixels.size)
        if pixels.size > most:
            raise OutOfMemory("no more")
        return sliding_window_view(pixels, (SEEN, SEEN))[::step, ::step].sum(axis=(2, 3))

    def patches(batch):
        if batch.size > most:
            raise OutOfMemory("no more")
        return batch[:, :SEEN, :SEEN].sum(axis=(1, 2))

    return Network(ARCHITECTURE, patches, shared, step)


@settings(deadline=None)
@given(st.sampled_from([1, 24]), st.integers(1, 7), st.integers(1, 7), st.integers(5000, 60_000))
def test_smaller_tiles_give_the_same_answers(step, rows, cols, most):
    scale = 24 // step if step == 1 else 1
    shape = tuple((n * scale - 1) * step + SEEN for n in (rows, cols))
    pixels = np.random.default_rng(0).integers(0, 9, shape).astype(float)
    sparing = careful(network(step, most), lambda: network(step))
    assert np.array_equal(sparing.shared(pixels), network(step).shared(pixels))


@settings(deadline=None)
@given(st.integers(1, 60), st.integers(3000, 60_000))
def test_smaller_batches_give_the_same_answers(count, most):
    batch = np.random.default_rng(0).integers(0, 9, (count, 49, 49)).astype(float)
    sparing = careful(network(1, most), lambda: network(1))
    assert np.array_equal(sparing.patches(batch), network(1).patches(batch))


def test_what_was_too_much_is_not_tried_again():
    sizes = []
    sparing = careful(network(1, 20_000, sizes), None)
    pixels = np.zeros((240, 240))
    sparing.shared(pixels)
    tried = len([size for size in sizes if size > 20_000])
    sparing.shared(pixels)
    assert len([size for size in sizes if size > 20_000]) == tried


def test_at_last_the_cpu_goes_on_with_a_warning(caplog):
    opened = []

    def on_cpu():
        opened.append(1)
        return network(1)

    pixels = np.random.default_rng(1).integers(0, 9, (300, 260)).astype(float)
    sparing = careful(network(1, 10), on_cpu)
    with caplog.at_level(logging.WARNING):
        answers = [sparing.shared(pixels) for _ in range(2)]
    assert all(np.array_equal(answer, network(1).shared(pixels)) for answer in answers)
    assert opened == [1]
    assert "on the CPU" in caplog.text


def test_a_cpu_without_memory_says_so_in_one_sentence():
    with pytest.raises(MicrocalcError, match="close other programs"):
        careful(network(1, 10), None).shared(np.zeros((100, 100)))


def test_other_errors_pass_unchanged():
    def broken(pixels):
        raise ValueError("not about memory")

    with pytest.raises(ValueError, match="not about memory"):
        careful(Network(ARCHITECTURE, broken), None).patches(np.zeros((2, 49, 49)))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
        RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying to allocate"),
        RuntimeError("[ONNXRuntimeError] : 6 : RUNTIME_EXCEPTION : Failed to allocate memory"),
        type("ResourceExhaustedError", (Exception,), {})("OOM when allocating tensor"),
    ],
)
def test_every_librarys_words_for_it_are_known(error):
    assert is_out_of_memory(error)


def test_a_wrong_shape_is_not_taken_for_it():
    assert not is_out_of_memory(ValueError("shapes (3,2) and (4,) do not match"))


def test_a_gpu_without_memory_is_replaced_by_the_cpu_called_once_at_a_time(monkeypatch):
    asked = []

    def opened(model, which, device, lanes=None):
        asked.append((which, device, lanes))
        return network(1, 10 if device == "gpu" else np.inf)

    monkeypatch.setattr(onnx_engine, "open_network", opened)
    found = engines._open(None, "segmentator", engines.Choice("onnx", "gpu", "there is one"))
    pixels = np.random.default_rng(0).integers(0, 9, (50, 55)).astype(float)
    assert np.array_equal(found.shared(pixels), network(1).shared(pixels))
    assert asked == [("segmentator", "gpu", None), ("segmentator", "cpu", 1)]
    assert found.lanes == 1
