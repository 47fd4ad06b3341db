"""The four views of one patient: which volume of a scene is which."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import InputError
from ..mammogram import Mammogram
from ..reading.views import laterality, view
from .loading import FindFile, header_of_volume
from .results import KIND
from .volumes import require_usable_volume

# As they hang: the first two above, the patient's right at the reader's left.
VIEWS = ("RCC", "LCC", "RMLO", "LMLO")
_SIDES = {"r": "R", "rt": "R", "right": "R", "l": "L", "lt": "L", "left": "L"}
_PROJECTIONS = {"cc": "CC", "mlo": "MLO"}
_JOINED = {
    name: (_SIDES[side], _PROJECTIONS[projection])
    for side in "rl"
    for projection in _PROJECTIONS
    for name in (side + projection, projection + side)
}
_VIEW, _PATIENT = "MicrocalcSegmentation.view", "MicrocalcSegmentation.patient"
# "SimulatedLeftCC" is three words, "RMLO" is one.
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


@dataclass(frozen=True)
class Sight:
    """What is known of a volume without looking at its pixels.

    view: one of `VIEWS`, or None. patient: DICOM's ID, or None. group: what is left of the
    name without the words that tell the view, by which files of one patient often agree.
    """

    volume: object
    view: str | None
    patient: str | None
    group: str


def view_in_name(name: str) -> str | None:
    """One of `VIEWS` when a name tells exactly one side and one projection."""
    told = [_told(word) for word in _WORD.findall(name)]
    sides = {side for side, _ in told if side}
    projections = {projection for _, projection in told if projection}
    if len(sides) != 1 or len(projections) != 1:
        return None
    return sides.pop() + projections.pop()


def sight_of(volume, find_file: FindFile | None = None) -> Sight:
    """View and patient by the DICOM header where there is one, else by the volume's name."""
    name = volume.GetName()
    stated, patient = volume.GetAttribute(_VIEW), volume.GetAttribute(_PATIENT)
    try:
        header = header_of_volume(volume, find_file)
    except InputError:  # damaged, which Detect will say
        header = None
    if header is not None:
        stated = (laterality(header) or "") + (view(header) or "")
        patient = next(iter(header.texts("PatientID")), None)
    known = stated if stated in VIEWS else view_in_name(name)
    group = " ".join(word for word in _WORD.findall(name) if _told(word) == (None, None))
    return Sight(volume, known, patient, group.casefold())


def remember_view(volume, mammogram: Mammogram) -> None:
    """Note on a volume what its file says, for when the file is no longer known."""
    stated = (mammogram.laterality or "") + (mammogram.view or "")
    if stated in VIEWS:
        volume.SetAttribute(_VIEW, stated)
    if mammogram.source.dicom.get("PatientID"):
        volume.SetAttribute(_PATIENT, mammogram.source.dicom["PatientID"])


def study_of(scene, chosen=None, find_file: FindFile | None = None) -> dict[str, object]:
    """View -> volume of one patient in the scene; {} when no volume tells its view.

    chosen: a volume of the patient that is wanted; by default the patient of most views.
    """
    sights = [sight_of(volume, find_file) for volume in _mammograms(scene)]
    groups: dict[tuple, dict[str, object]] = {}
    for sight in sights:
        if sight.view is not None:
            groups.setdefault(_owner(sight), {}).setdefault(sight.view, sight.volume)
    if not groups:
        return {}
    owner = next((_owner(sight) for sight in sights if sight.volume is chosen), None)
    if owner not in groups:
        owner = max(groups, key=lambda one: len(groups[one]))
    study = groups[owner]
    if owner[0] is None:
        _fill_up(study, [sight for sight in sights if sight.patient is None])
    return {name: study[name] for name in VIEWS if name in study}


def require_views(study: Mapping[str, object]) -> None:
    """Refuse, in no time, no volume at all, and one volume as two views."""
    if not study:
        raise InputError("no view is chosen; load a patient's mammograms and choose each view")
    volumes = list(study.values())
    for name, volume in study.items():
        if volumes.count(volume) > 1:
            raise InputError(f"{volume.GetName()}: chosen for two views; change {name}")


def require_one_patient(study: Mapping[str, object], find_file: FindFile | None = None) -> None:
    """Refuse the views of two patients, where DICOM tells."""
    patients = {name: sight_of(volume, find_file).patient for name, volume in study.items()}
    known = sorted({patient for patient in patients.values() if patient})
    if len(known) > 1:
        raise InputError(
            f"the views are of different patients ({', '.join(known)}); choose those of one"
        )


def _told(word: str) -> tuple[str | None, str | None]:
    """Side and projection that a word of a name tells."""
    low = word.lower()
    return _JOINED.get(low, (_SIDES.get(low), _PROJECTIONS.get(low)))


def _owner(sight: Sight) -> tuple:
    return (sight.patient, "" if sight.patient else sight.group)


def _fill_up(study: dict[str, object], sights: Sequence[Sight]) -> None:
    """Views that only one volume can be, though its name agrees in nothing with the others."""
    for name in VIEWS:
        candidates = [sight.volume for sight in sights if sight.view == name]
        if name not in study and len(candidates) == 1:
            study[name] = candidates[0]


def _mammograms(scene) -> list:
    """Volumes that may be mammograms, in the scene's order."""
    found = scene.GetNodesByClass("vtkMRMLScalarVolumeNode")
    volumes = [found.GetItemAsObject(index) for index in range(found.GetNumberOfItems())]
    return [volume for volume in volumes if _may_be_mammogram(volume)]


def _may_be_mammogram(volume) -> bool:
    try:
        require_usable_volume(volume)
    except InputError as error:
        # A spacing that lacks can still be given.
        return "true spacing" in str(error)
    return not volume.GetAttribute(KIND)  # not a probability of ours
