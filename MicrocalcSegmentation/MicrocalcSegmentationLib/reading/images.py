"""Mammograms in other files than DICOM, through SimpleITK."""

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from ..errors import InputError
from ..geometry import Geometry
from ..mammogram import Mammogram, Source
from . import codestream
from .admission import require_plausible_size, require_usable_values
from .spacing import file_spacing

# ITK knows more formats, but none that mammograms come in, and each is one more parser of
# unknown data. GDCM is not among them: a file that only it takes for DICOM is damaged.
FORMATS = {
    "NrrdImageIO": "NRRD",
    "MetaImageIO": "MHA",
    "NiftiImageIO": "NIfTI",
    "TIFFImageIO": "TIFF",
    "PNGImageIO": "PNG",
    "JPEGImageIO": "JPEG",
}
_WITH_PRINT_RESOLUTION = ("TIFF", "JPEG")
_CHUNK_BYTES = 1 << 20
_GREY_AS_COLOUR = 3  # values per pixel


def read_image(path: Path, spacing_mm: Sequence[float] | None) -> Mammogram:
    """A grey 2-D image, or a volume of one slice, as a `Mammogram`.

    An RGB image is grey when its channels are equal. Pixels count as displayed: brighter is
    denser. Geometry is the file's own.
    Raises InputError for anything else.
    """
    name = path.name
    # ITK fills up what lacks of a JPEG, and complains of it on the terminal even on a first look.
    if path.suffix.lower() in (".jpg", ".jpeg") and not codestream.is_whole(path.read_bytes()):
        raise _damaged(name, "JPEG")
    kind = FORMATS.get(sitk.ImageFileReader.GetImageIOFromFileName(str(path)))
    # NIfTI's other form, a header beside a file of pixels, is Analyze's too and says less.
    if kind is None or (kind == "NIfTI" and not name.lower().endswith((".nii", ".nii.gz"))):
        raise InputError(
            f"{name}: not an image that can be read; give DICOM, NRRD, MHA, NIfTI, TIFF, PNG or "
            "JPEG, under its usual file ending"
        )
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    quiet = not sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)  # ITK writes them to the terminal
    try:
        reader.ReadImageInformation()
        slice_axis = _slice_axis(name, reader)
        if kind == "NIfTI" and not _is_whole_nifti(path, reader):
            raise _damaged(name, kind)
        image = reader.Execute()
    except RuntimeError as error:
        raise _damaged(name, kind) from error
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(not quiet)
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite and is refused
        pixels = _one_channel(name, sitk.GetArrayViewFromImage(image), image).astype(np.float32)
    if slice_axis is not None:
        pixels = pixels.squeeze(axis=2 - slice_axis)  # numpy's axes are ITK's in reverse
    require_usable_values(name, pixels)
    geometry, stated_by = _geometry(name, image, slice_axis, (kind, spacing_mm))
    return Mammogram(pixels, geometry, Source(name, str(path), spacing_from=stated_by))


def _damaged(name: str, kind: str) -> InputError:
    return InputError(f"{name}: {kind} that is cut short or damaged; copy or export it again")


def _is_whole_nifti(path: Path, reader: sitk.ImageFileReader) -> bool:
    """Whether the file, unzipped if need be, holds all its pixels; ITK fills up what lacks."""
    bits = int(np.prod(reader.GetSize())) * int(reader.GetMetaData("bitpix"))
    missing = int(float(reader.GetMetaData("vox_offset"))) + bits // 8
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            while missing > 0 and (chunk := file.read(_CHUNK_BYTES)):
                missing -= len(chunk)
    except (OSError, EOFError, zlib.error):
        return False
    return missing <= 0


def _slice_axis(name: str, reader: sitk.ImageFileReader) -> int | None:
    """The axis of a volume's one slice, None for a 2-D image, from the header alone.

    Raises InputError where the header rules the image out.
    """
    size = reader.GetSize()
    if reader.GetNumberOfComponents() not in (1, _GREY_AS_COLOUR):
        raise _colour(name, reader.GetNumberOfComponents())
    if len(size) == 2:
        require_plausible_size(name, size[::-1])
        return None
    slice_axis = max((axis for axis, count in enumerate(size) if count == 1), default=None)
    if len(size) != 3 or slice_axis is None:
        raise InputError(
            f"{name}: a volume of {' x '.join(map(str, size))} pixels (tomosynthesis, or pages?); "
            "give a single 2-D mammogram"
        )
    require_plausible_size(name, [size[axis] for axis in (2, 1, 0) if axis != slice_axis])
    return slice_axis


def _one_channel(name: str, values: np.ndarray, image: sitk.Image) -> np.ndarray:
    """The grey values, which many programs save three times over, as red, green and blue."""
    if image.GetNumberOfComponentsPerPixel() == 1:
        return values
    first = values[..., 0]
    if not all(np.array_equal(first, values[..., channel]) for channel in (1, 2)):
        raise _colour(name, _GREY_AS_COLOUR)
    return first


def _colour(name: str, components: int) -> InputError:
    return InputError(
        f"{name}: a colour image ({components} values per pixel); mammograms are grey, convert it "
        "to one grey channel"
    )


def _geometry(
    name: str, image: sitk.Image, slice_axis: int | None, choice: tuple[str, Sequence[float] | None]
) -> tuple[Geometry, str]:
    """The file's grid with the spacing to use, and what stated that; choice: kind, user's."""
    kind, user_mm = choice
    dimension = image.GetDimension()
    col, row = (axis for axis in range(dimension) if axis != slice_axis)
    spacing = image.GetSpacing()
    chosen = file_spacing(
        name, (spacing[row], spacing[col]), user_mm, kind in _WITH_PRINT_RESOLUTION
    )
    axes = np.eye(3)
    axes[:dimension, :dimension] = np.reshape(image.GetDirection(), (dimension, dimension))
    third = np.cross(axes[:, col], axes[:, row]) if slice_axis is None else axes[:, slice_axis]
    directions = np.stack([axes[:, col], axes[:, row], third])
    geometry = Geometry(
        spacing_mm=chosen.row_col_mm,
        origin_lps=(*image.GetOrigin(), 0.0)[:3],
        directions_lps=tuple(tuple(float(part) for part in row) for row in directions),
        slice_thickness_mm=1.0 if slice_axis is None else spacing[slice_axis],
    )
    return geometry, chosen.stated_by
