"""What the window's jobs do, step by step: read volumes, ask the worker, write into the scene.

A job is a generator. It yields None after each short step, an `Outcome` to tell of progress and
WAIT where there is nothing to do before the worker answers; it returns the `Outcome` of a job
that is done. It raises Cancelled, and MicrocalcError with the sentence for the user.
"""

import threading
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import Cancelled, InputError
from ..export import file_stem
from ..export.segments import Marked
from ..findings import Findings
from ..mrml.drawn import mask_in_steps
from ..mrml.loading import FindFile, mammogram_in_steps
from ..mrml.prepared import prepare_in_steps
from ..mrml.results import Results, find_results, require_present, write_prepared
from ..mrml.review import carry_over, reviews_of
from ..settings import Settings
from . import messages
from .blocks import Block
from .client import Scored, Worker

WAIT = object()
_READING, _SCORING = 0.05, 0.95  # of an image's time, when the one and the other end


@dataclass(frozen=True)
class Options:
    """What a run is asked for. model: a name or folder; None is the default one."""

    settings: Settings = field(default_factory=Settings)
    model: str | None = None
    with_probability: bool = False


@dataclass(frozen=True)
class Outcome:
    """How a job stands.

    kind: "progress", "done", "cancelled" or "failed". text: stage, or what was done, or the
    sentence why it failed. seconds_left: None as long as it cannot be told. made: nodes and
    findings of each volume of a detection that is done.
    """

    kind: str
    text: str = ""
    fraction: float = 0.0
    seconds_left: float | None = None
    made: tuple[tuple[Results, Findings], ...] = ()


@dataclass(frozen=True)
class Kept:
    """A volume's scores and findings, as long as the session knows them.

    packed: the findings as the worker sent them.
    """

    volume: object
    scored: Scored
    findings: Findings
    packed: dict


@dataclass
class Place:
    """What jobs work with. kept: by the volume's node ID. runs_on: the last run's engine.

    writing: the scene is being changed, so that it is too late to cancel.
    """

    scene: object
    worker: Worker
    find_file: FindFile | None = None
    kept: dict[str, Kept] = field(default_factory=dict)
    runs_on: str = ""
    writing: bool = False

    def keep(self, kept: Kept) -> None:
        """Keep this in place of what was known of the volume."""
        self.forget(kept.volume.GetID())
        self.kept[kept.volume.GetID()] = kept

    def forget(self, volume_id: str) -> None:
        """Free what is kept of a volume, in a thread: that takes long, and touches no MRML."""
        earlier = self.kept.pop(volume_id, None)
        if earlier is not None:
            held = [earlier.scored, earlier.findings]
            del earlier  # so that the thread's are the last references
            threading.Thread(target=held.clear, daemon=True).start()


@dataclass(frozen=True)
class _Part:
    """One volume's share of a job of several."""

    number: int
    count: int
    name: str

    def told(self, fraction: float, text: str) -> Outcome:
        named = f"{self.name}: {text}" if self.count > 1 else text
        return Outcome("progress", named, (self.number + fraction) / self.count)


@dataclass(frozen=True)
class _Found:
    kept: Kept
    on_mcs: Marked


Job = Generator[object, None, Outcome]


def detect(place: Place, volumes: Sequence, options: Options) -> Job:
    """Find the MCs of every volume; nothing is written before all are done."""
    found = []
    for part, volume in _parts(volumes):
        yield part.told(0.0, "reading")
        mammogram, block = yield from _read(place, volume)
        yield part.told(_READING, "starting")
        place.worker.score(mammogram, block, options.settings, options.model)
        content = yield from _answer(place, part)
        place.runs_on = content["runs_on"]
        scored = Scored(mammogram, block, content["scores"])
        found.append((yield from _unpacked(volume, scored, content)))
        yield
    return (yield from _write(place, found, options.with_probability))


def rethreshold(place: Place, kept: Sequence[Kept], threshold: float, keep: bool) -> Job:
    """Findings at another threshold. keep: also write the probability as a volume."""
    found = []
    for part, one in _parts(kept):
        place.worker.describe(one.scored, threshold)
        content = yield from _answer(place, part)
        found.append((yield from _unpacked(one.volume, one.scored, content)))
        yield
    return (yield from _write(place, found, keep))


def update(place: Place, kept: Sequence[Kept], keep: bool) -> Job:
    """Findings of what the segmentations hold now; raises InputError where they are empty."""
    any_left = False
    for part, one in _parts(kept):
        yield part.told(0.0, "looking at the segmentation")
        segmentation = find_results(place.scene, one.volume).segmentation
        drawn = one.scored.block["drawn"]
        yield from mask_in_steps(segmentation, one.scored.mammogram, drawn)
        any_left = any_left or bool(drawn.any())
        yield
    if not any_left:
        names = ", ".join(one.volume.GetName() for one in kept)
        raise InputError(
            f"{names}: nothing is left in the segmentation; draw an MC, or run Detect again"
        )
    found = []
    for part, one in _parts(kept):
        place.worker.describe_mask(one.scored)
        content = yield from _answer(place, part)
        found.append((yield from _unpacked(one.volume, one.scored, content)))
        yield
    return (yield from _write(place, found, keep))


def write_files(place: Place, kept: Sequence[Kept], what: str, folder: Path) -> Job:
    """Let the worker write: what is "export" or "train"."""
    files: list[Path] = []
    for stem, (part, one) in zip(_stems(kept), _parts(kept), strict=True):
        reviews = reviews_of(find_results(place.scene, one.volume))
        request = {
            "findings": one.packed,
            "folder": str(folder),
            "stem": stem,
            "reviews": [(each.cluster, each.review.state, each.review.note) for each in reviews],
        }
        place.worker.write(what, one.scored, request)
        content = yield from _answer(place, part)
        files += map(Path, content["files"])
    if what == "train":
        images = ", ".join(path.name for path in files[::3])  # then a mask and a description
        return Outcome("done", f"added to the training set as {images}", 1.0)
    where = files[0].parent if len(kept) == 1 else folder
    return Outcome("done", f"{len(files)} files written to {where}", 1.0)


def _read(place: Place, volume) -> Generator[object, None, tuple]:
    """The mammogram on the arrays of a block, and the block."""
    blocks = []

    def new_arrays(shape):
        blocks.append(Block(shape))
        return blocks[0]["pixels"], blocks[0]["valid"]

    mammogram = yield from mammogram_in_steps(volume, new_arrays, place.find_file)
    return mammogram, blocks[0]


def _answer(place: Place, part: _Part) -> Generator[object, None, dict]:
    """What the worker answers in the end."""
    while True:
        for answer in place.worker.poll():
            if answer.kind == "progress":
                fraction = _READING + (_SCORING - _READING) * answer.content["fraction"]
                yield part.told(fraction, answer.content["text"])
            elif answer.kind == "done":
                return answer.content
            elif answer.kind == "cancelled":
                raise Cancelled
            else:
                raise InputError(answer.content["message"])
        yield WAIT


def _unpacked(volume, scored: Scored, content: dict) -> Generator[object, None, _Found]:
    steps = messages.unpack_findings_in_steps(content["findings"], scored.scores)
    findings, on_mcs = yield from steps
    return _Found(Kept(volume, scored, findings, content["findings"]), on_mcs)


def _write(place: Place, found: list[_Found], with_probability: bool) -> Job:
    ready = []
    for one in found:
        steps = prepare_in_steps(place.scene, one.kept.findings, with_probability, one.on_mcs)
        ready.append((yield from steps))
    for one in found:
        require_present(place.scene, one.kept.volume, one.kept.findings.labels.shape)
    place.writing = True
    made = []
    for one, prepared in zip(found, ready, strict=True):
        volume = one.kept.volume
        reviewed = reviews_of(find_results(place.scene, volume))
        results = write_prepared(place.scene, volume, prepared)
        carry_over(reviewed, results)
        place.keep(one.kept)
        made.append((results, one.kept.findings))
        yield
    return Outcome("done", summary([findings for _, findings in made]), 1.0, 0.0, tuple(made))


def summary(findings: Sequence[Findings]) -> str:
    """ "12 MCs, 1 cluster, 3 MCs isolated", of one image or of several views."""
    every = [mc for one in findings for mc in one.calcifications]
    clusters = sum(len(one.clusters) for one in findings)
    word = "cluster" if clusters == 1 else "clusters"
    views = f" in {len(findings)} views" if len(findings) > 1 else ""
    isolated, coarse = sum(mc.isolated for mc in every), sum(mc.coarse for mc in every)
    vascular = sum(len(one.vascular) for one in findings)
    parts = [f"{len(every)} MCs", f"{clusters} {word}{views}", f"{isolated} MCs isolated"]
    parts += [f"{coarse} coarse"] if coarse else []
    parts += [f"{vascular} vascular"] if vascular else []
    cautions = "".join(f"; {one.caution}" for one in findings if one.caution)
    return ", ".join(parts) + cautions


def _parts(items: Sequence) -> list[tuple[_Part, object]]:
    """Volumes, or what is kept of them, each with its share of the job."""
    return [
        (_Part(number, len(items), getattr(item, "volume", item).GetName()), item)
        for number, item in enumerate(items)
    ]


def _stems(kept: Sequence[Kept]) -> list[str]:
    """A file name for each, no two alike."""
    stems: list[str] = []
    for one in kept:
        stem, number = file_stem(one.volume.GetName()), 2
        name = stem
        while name in stems:
            name, number = f"{stem}_{number}", number + 1
        stems.append(name)
    return stems
