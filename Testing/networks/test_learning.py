"""Training on a sample database: it learns, halves, stops, goes on exactly, and is logged."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from MicrocalcSegmentationLib.errors import Cancelled, InputError, ModelError
from MicrocalcSegmentationLib.model import load_model
from MicrocalcSegmentationLib.networks import Architecture
from MicrocalcSegmentationLib.progress import Silent
from MicrocalcSegmentationLib.training import learning
from MicrocalcSegmentationLib.training.augmentation import Augmentation
from MicrocalcSegmentationLib.training.events import EventLog
from MicrocalcSegmentationLib.training.finishing import Order, _passing, train_network
from MicrocalcSegmentationLib.training.learning import Course, learn
from MicrocalcSegmentationLib.training.samples import schema
from MicrocalcSegmentationLib.training.samples.access import Samples

TINY = Architecture(29, channels=(4, 6, 6, 6, 6, 6), features=8)
SHORT = Course(12, 16, check_every=4, held=2, checkpoint_every=3, judged=300, judged_far=600)


@pytest.fixture
def samples(sample_database):
    opened = Samples(sample_database)
    yield opened
    opened.close()


class StopAt:
    """Progress that is cancelled at a step."""

    def __init__(self, step):
        self.left = step

    def report(self, fraction, text):
        self.left -= 1
        if self.left <= 0:
            raise Cancelled


@pytest.mark.parametrize("which", ["detector", "segmentator"])
def test_training_lowers_the_loss_on_patients_it_does_not_see(samples, tmp_path, which):
    course = Course(steps=90, batch_size=32, check_every=30, held=8, rate=3e-3)
    learned = learn(which, TINY, samples, course, (tmp_path, Silent()))
    history = learned.state.history
    assert [entry["step"] for entry in history] == [30, 60, 90]
    assert history[-1]["training loss"] < history[0]["training loss"]
    assert learned.state.best_loss < np.log(2)
    assert learned.state.finished == "all steps were done"


@pytest.mark.parametrize("stop", [1, 5])
def test_a_stopped_training_goes_on_to_the_same_weights(samples, tmp_path, stop):
    straight = learn("segmentator", TINY, samples, SHORT, (tmp_path / "a", Silent()))
    with pytest.raises(Cancelled):
        learn("segmentator", TINY, samples, SHORT, (tmp_path / "b", StopAt(stop)))
    resumed = learn("segmentator", TINY, samples, SHORT, (tmp_path / "b", Silent()))
    assert resumed.state == straight.state
    for one, other in zip(
        resumed.network.get_weights(), straight.network.get_weights(), strict=True
    ):
        assert np.array_equal(one, other)


def test_a_killed_training_goes_on_to_the_same_weights(sample_database, samples, tmp_path):
    course = replace(SHORT, steps=120, check_every=40, checkpoint_every=10)
    code = (
        "import sys; from pathlib import Path\n"
        "from MicrocalcSegmentationLib.networks import Architecture\n"
        "from MicrocalcSegmentationLib.progress import Silent\n"
        "from MicrocalcSegmentationLib.training.learning import Course, learn\n"
        "from MicrocalcSegmentationLib.training.samples.access import Samples\n"
        f"learn('detector', {TINY!r}, Samples(Path({str(sample_database)!r})), {course!r},"
        f" (Path({str(tmp_path / 'killed')!r}), Silent()))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
    checkpoint = tmp_path / "killed" / "checkpoint.npz"
    while process.poll() is None and not checkpoint.exists():
        time.sleep(0.02)
    time.sleep(float(np.random.default_rng(1).uniform(0, 0.3)))
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    resumed = learn("detector", TINY, samples, course, (tmp_path / "killed", Silent()))
    straight = learn("detector", TINY, samples, course, (tmp_path / "straight", Silent()))
    assert resumed.state == straight.state
    assert all(
        np.array_equal(one, other)
        for one, other in zip(
            resumed.network.get_weights(), straight.network.get_weights(), strict=True
        )
    )


def test_more_steps_go_on_to_the_weights_of_a_training_that_was_given_them_at_once(
    samples, tmp_path
):
    first = learn("detector", TINY, samples, SHORT, (tmp_path / "a", Silent()))
    assert first.state.finished == "all steps were done"
    longer = replace(SHORT, steps=20)
    gone_on = learn("detector", TINY, samples, longer, (tmp_path / "a", Silent()))
    at_once = learn("detector", TINY, samples, longer, (tmp_path / "b", Silent()))
    assert gone_on.state == at_once.state
    assert gone_on.state.step == 20
    for one, other in zip(
        gone_on.network.get_weights(), at_once.network.get_weights(), strict=True
    ):
        assert np.array_equal(one, other)


def test_bfloat16_learns_alike_goes_on_exactly_and_gives_float32_weights(samples, tmp_path):
    course = Course(steps=60, batch_size=32, check_every=30, held=8, rate=3e-3)
    half = replace(course, precision="bfloat16")
    full = learn("detector", TINY, samples, course, (tmp_path / "full", Silent()))
    straight = learn("detector", TINY, samples, half, (tmp_path / "half", Silent()))
    losses = [learned.state.history[-1]["validation loss"] for learned in (full, straight)]
    assert losses[1] == pytest.approx(losses[0], rel=0.15)
    with pytest.raises(Cancelled):
        learn("detector", TINY, samples, half, (tmp_path / "stopped", StopAt(50)))
    resumed = learn("detector", TINY, samples, half, (tmp_path / "stopped", Silent()))
    for one, other in zip(
        resumed.network.get_weights(), straight.network.get_weights(), strict=True
    ):
        assert one.dtype == np.float32
        assert np.array_equal(one, other)
    assert straight.network.dtype_policy.name == "float32"
    with pytest.raises(InputError, match="course"):
        learn("detector", TINY, samples, course, (tmp_path / "half", Silent()))


def test_an_unknown_precision_is_refused(samples, tmp_path):
    with pytest.raises(ModelError, match="precision 'int8' is unknown; use one of: float32, bf"):
        learn("detector", TINY, samples, replace(SHORT, precision="int8"), (tmp_path, Silent()))


def with_losses(monkeypatch, losses):
    given = iter(losses)
    seen = []

    def check(network, held):
        seen.append([weights.copy() for weights in network.get_weights()])
        return {"loss": next(given), "accuracy": 0.5}

    monkeypatch.setattr(learning, "check", check)
    return seen


def test_the_rate_halves_on_a_plateau_and_training_stops_with_the_best_weights(
    samples, tmp_path, monkeypatch
):
    course = replace(SHORT, steps=99, check_every=2, halve_after=2, stop_after=5)
    seen = with_losses(monkeypatch, [3, 1, 2, 2, 2, 2, 2, 2])
    learned = learn("detector", TINY, samples, course, (tmp_path, Silent()))
    rates = [entry["rate"] for entry in learned.state.history]
    assert np.allclose(rates, [1e-3, 1e-3, 1e-3, 1e-3, 5e-4, 5e-4, 2.5e-4])
    assert learned.state.finished == "no better loss in 5 checks"
    assert (learned.state.best_step, learned.state.step) == (4, 14)
    for kept, best in zip(learned.network.get_weights(), seen[1], strict=True):
        assert np.array_equal(kept, best)


def test_training_ends_when_the_rate_is_too_small(samples, tmp_path, monkeypatch):
    course = replace(SHORT, steps=99, check_every=1, halve_after=1, smallest_rate=4e-4)
    with_losses(monkeypatch, [1, 2, 2, 2, 2])
    learned = learn("detector", TINY, samples, course, (tmp_path, Silent()))
    assert learned.state.step == 3
    assert learned.state.finished == "the learning rate fell below its smallest"


def test_the_log_is_tensorboards(tmp_path):
    from tensorflow.core.util import event_pb2

    log = EventLog(tmp_path, first_step=300)
    log.write(301, {"loss": 0.25, "rate": 1e-3})
    log.close()
    (file,) = tmp_path.iterdir()
    assert file.name.startswith("events.out.tfevents.")
    # TensorFlow checks every record's check sums.
    records = tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
    version, start, numbers = (event_pb2.Event.FromString(record) for record in records)
    assert version.file_version == "brain.Event:2"
    assert (start.step, start.session_log.status) == (300, event_pb2.SessionLog.START)
    assert numbers.step == 301
    assert {v.tag: v.simple_value for v in numbers.summary.value} == {
        "loss": 0.25,
        "rate": pytest.approx(1e-3),
    }
    assert abs(numbers.wall_time - time.time()) < 60


def test_other_settings_and_damaged_checkpoints_are_refused(samples, tmp_path):
    learn("detector", TINY, samples, SHORT, (tmp_path, Silent()))
    with pytest.raises(InputError, match=r"begun with network detector, not segmentator"):
        learn("segmentator", TINY, samples, SHORT, (tmp_path, Silent()))
    with pytest.raises(InputError, match=r"begun with architecture .* or another --work"):
        learn("detector", replace(TINY, padding="same"), samples, SHORT, (tmp_path, Silent()))
    file = tmp_path / "checkpoint.npz"
    file.write_bytes(file.read_bytes()[:500])
    with pytest.raises(InputError, match=r"checkpoint.npz: damaged .*; delete it to begin again"):
        learn("detector", TINY, samples, SHORT, (tmp_path, Silent()))


def edited(database, folder, *statements):
    """A copy of a database with its cache, changed by SQL."""
    folder.mkdir()
    copy = shutil.copy(database, folder)
    shutil.copytree(schema.cache_folder(database), schema.cache_folder(Path(copy)))
    with closing(schema.connect(Path(copy), read_only=False)) as connection, connection:
        for statement in statements:
            connection.execute(statement)
    return Samples(Path(copy))


MINED = "INSERT INTO mined VALUES ('detector', 29, {}, 300, 200, 4, 0.9, 'm 1', 1)"


@pytest.mark.parametrize(
    "change",
    ["UPDATE images SET labels_sha256 = 'other' WHERE id = {}", MINED],
    ids=["masks", "mined"],
)
def test_a_checkpoint_is_not_gone_on_from_with_other_masks_or_mined_samples(
    sample_database, samples, tmp_path, change
):
    learn("detector", TINY, samples, SHORT, (tmp_path / "work", Silent()))
    number = samples.images(("train",))[0].number
    other = edited(sample_database, tmp_path / "copy", change.format(number))
    with pytest.raises(
        InputError, match="samples have changed since; begin anew in another --work"
    ):
        learn("detector", TINY, other, SHORT, (tmp_path / "work", Silent()))
    same = edited(sample_database, tmp_path / "same")
    learn("detector", TINY, same, SHORT, (tmp_path / "work", Silent()))


def test_a_checkpoint_that_does_not_know_its_samples_is_refused_in_one_sentence(samples, tmp_path):
    learn("detector", TINY, samples, SHORT, (tmp_path, Silent()))
    with np.load(tmp_path / "checkpoint.npz") as stored:
        arrays = dict(stored)
    said = json.loads(arrays["said"].tobytes())
    del said["settings"]["samples"]
    arrays["said"] = np.frombuffer(json.dumps(said).encode(), np.uint8)
    np.savez(tmp_path / "checkpoint.npz", **arrays)
    with pytest.raises(InputError, match="does not say what it learnt from, as an earlier version"):
        learn("detector", TINY, samples, SHORT, (tmp_path, Silent()))


def test_a_loss_that_is_no_number_ends_training_with_advice(samples, tmp_path):
    course = replace(SHORT, steps=60, rate=1e25)
    with pytest.raises(InputError, match=r"the loss is no number at step .*; train with a lower"):
        learn("detector", TINY, samples, course, (tmp_path, Silent()))


@pytest.fixture
def order(sample_database, tmp_path):
    return Order(sample_database, tmp_path / "pair", tmp_path / "pair.work", "pair")


def test_two_trained_networks_become_a_model_with_manifest_and_card(order):
    first = train_network("detector", TINY, SHORT, order, Silent())
    assert first is None
    assert not order.output.exists()
    model = train_network("segmentator", TINY, SHORT, order, Silent())
    read = load_model(order.output)
    assert read.architectures == {"detector": TINY, "segmentator": TINY}
    assert (read.threshold, read.detector_threshold) == (model.threshold, model.detector_threshold)
    assert 0.5 <= read.threshold <= 1
    (label, figures), *others = read.figures.items()
    assert not others
    assert label == "validation patches (simulated)"
    assert 0 <= figures["segmentator, error of C2 at 0.5"] <= 1
    assert figures["false-positive rate of breast pixels"] <= 5e-5
    training = json.loads((order.output / "manifest.json").read_text())["training"]
    said = training["networks"]["detector"]
    assert said["data"]["images"]["train, simulated, digital"] >= 1
    assert said["course"]["seed"] == SHORT.seed
    assert set(said["libraries"]) >= {"keras", "backend", "numpy", "python"}
    assert said["libraries"]["backend"] == f"tensorflow {tf.__version__}"
    assert said["augmentation"]["turned"] == Augmentation().turned
    card = (order.output / "card.md").read_text()
    assert "| patch side N | 29 | 29 |" in card
    assert "detector: 12 minibatches of 16" in card
    assert "seed 1, float32; ended because all steps were done" in card
    assert "All images were simulated: the figures say nothing about real ones." in card


def test_the_manifest_says_of_each_network_what_it_learnt_from(order, sample_database, tmp_path):
    films = "(SELECT id FROM images WHERE split = 'train' AND kind = 'film')"
    renamed = f"UPDATE images SET source = 'own' WHERE id IN {films}"
    other = edited(sample_database, tmp_path / "other", MINED.format(films), renamed)
    train_network("detector", TINY, SHORT, replace(order, samples=other.path), Silent())
    model = train_network("segmentator", TINY, SHORT, order, Silent())
    data = {which: one["data"] for which, one in model.training["networks"].items()}
    assert data["detector"]["sha256"] == other.digest()
    assert data["segmentator"]["sha256"] == Samples(sample_database).digest()
    assert (data["detector"]["mined"], data["segmentator"]["split seed"]) == (1, 0)
    assert "train, own, film" in data["detector"]["images"]
    assert "train, own, film" not in data["segmentator"]["images"]
    assert list(model.figures) == [
        "validation patches (own, simulated)",
        "validation patches (simulated)",
    ]
    card = (order.output / "card.md").read_text()
    assert "- detector, s.sqlite: train, own, film: " in card
    assert "All images were simulated" not in card


def test_a_network_of_an_earlier_version_is_trained_again(order):
    train_network("detector", TINY, SHORT, order, Silent())
    done = order.work / "detector" / "done.json"
    said = json.loads(done.read_text())
    del said["data"]
    done.write_text(json.dumps(said))
    with pytest.raises(
        InputError, match=r"done.json: does not say what it learnt from, .*; train this"
    ):
        train_network("segmentator", TINY, SHORT, order, Silent())


def test_a_model_can_be_trained_further(order, samples, tmp_path):
    for which in ("detector", "segmentator"):
        train_network(which, TINY, SHORT, order, Silent())
    further = replace(SHORT, steps=4, rate=1e-8, start=str(order.output))
    learned = learn("detector", TINY, samples, further, (tmp_path / "further", Silent()))
    kernel = load_model(order.output).detector.get_layer("conv1").get_weights()[0]
    assert np.allclose(learned.network.get_layer("conv1").get_weights()[0], kernel, atol=1e-5)
    other = replace(TINY, features=9)
    with pytest.raises(InputError, match="its detector has another architecture"):
        learn("detector", other, samples, further, (tmp_path / "other", Silent()))


def test_the_detectors_threshold_passes_the_stated_share_of_patches_with_an_mc():
    rng = np.random.default_rng(0)
    scores = {c: rng.random(20_000) ** power for c, power in ((1, 0.2), (2, 0.5), (3, 1.0))}
    threshold = _passing(scores, 0.9)
    passed = [0.3, 0.3, 0.4] @ np.array([(scores[c] >= threshold).mean() for c in (1, 2, 3)])
    assert passed == pytest.approx(0.9, abs=1e-3)
