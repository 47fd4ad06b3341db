"""Small files of the kinds that data sets hold, and what the tests of importers ask of one."""

import numpy as np
import pydicom
import SimpleITK as sitk
from MicrocalcSegmentationLib.progress import Silent
from MicrocalcSegmentationLib.simulation.dicom_mg import Encoding, write_dicom_mg
from MicrocalcSegmentationLib.training.datasets import open_dataset
from MicrocalcSegmentationLib.training.samples.build import BuildOptions, build
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

ONE_PROCESS = BuildOptions(patch_sides=(29,), workers=1)


def built(folder, output, options=ONE_PROCESS):
    return build([open_dataset(folder)], output, options, Silent())


def write_image(path, mammogram, seed=1):
    path.parent.mkdir(parents=True, exist_ok=True)
    write_dicom_mg(path, mammogram, Encoding(grey_range=(0, 4095)), seed)
    return path


def write_nrrd(path, values, spacing_mm=0.1, origin=(0.0, 0.0, 0.0), tags=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = sitk.GetImageFromArray(values[None])
    image.SetSpacing((spacing_mm, spacing_mm, 1.0))
    image.SetOrigin(origin)
    for key, value in (tags or {}).items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path))


def only(dataset):
    assert dataset.problems == ()
    (image,) = dataset.images
    return image


def problem(dataset):
    (found,) = dataset.problems
    return str(found)


def basic_dataset(sop_class, shape):
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID = sop_class
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID = generate_uid()
    dataset.Modality, dataset.PatientID = "MG", "x"
    dataset.Rows, dataset.Columns = shape
    dataset.SamplesPerPixel, dataset.PixelRepresentation = 1, 0
    dataset.PhotometricInterpretation = "MONOCHROME2"
    return dataset


def write_secondary(path, values):
    path.parent.mkdir(parents=True, exist_ok=True)
    dataset = basic_dataset("1.2.840.10008.5.1.4.1.1.7", values.shape)
    bits = values.itemsize * 8
    dataset.BitsAllocated = dataset.BitsStored = bits
    dataset.HighBit = bits - 1
    data = values.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset.save_as(path, enforce_file_format=True)


def drop_spacing(path):
    dataset = pydicom.dcmread(path)
    del dataset.ImagerPixelSpacing
    dataset.save_as(path)


def write_segmentation(path, segments, source, edit=None):
    """A binary segmentation (DICOM PS3.3 A.51), a frame per segment, then edited."""
    path.parent.mkdir(parents=True, exist_ok=True)
    shape = next(iter(segments.values())).shape
    dataset = basic_dataset("1.2.840.10008.5.1.4.1.1.66.4", shape)
    dataset.Modality, dataset.SegmentationType = "SEG", "BINARY"
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit, dataset.NumberOfFrames = 0, len(segments)
    reference = Dataset()
    reference.ReferencedSOPClassUID = "1.2.840.10008.5.1.4.1.1.1.2"
    reference.ReferencedSOPInstanceUID = pydicom.dcmread(source).SOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID = generate_uid()
    series.ReferencedInstanceSequence = Sequence([reference])
    dataset.ReferencedSeriesSequence = Sequence([series])
    dataset.SegmentSequence, dataset.PerFrameFunctionalGroupsSequence = Sequence(), Sequence()
    for number, name in enumerate(segments, 1):
        segment, frame, identification = Dataset(), Dataset(), Dataset()
        segment.SegmentNumber, segment.SegmentLabel = number, name
        dataset.SegmentSequence.append(segment)
        identification.ReferencedSegmentNumber = number
        frame.SegmentIdentificationSequence = Sequence([identification])
        dataset.PerFrameFunctionalGroupsSequence.append(frame)
    bits = np.concatenate([mask.ravel() for mask in segments.values()])
    packed = np.packbits(bits, bitorder="little").tobytes()
    dataset.PixelData = packed + b"\0" * (len(packed) % 2)
    if edit:
        edit(dataset)
    dataset.save_as(path, enforce_file_format=True)
