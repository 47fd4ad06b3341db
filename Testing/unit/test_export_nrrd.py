"""`.seg.nrrd`: what the bytes say (Slicer's reading of them is tested in scene/)."""

import gzip

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from MicrocalcSegmentationLib.export.nrrd import write_segmentation
from MicrocalcSegmentationLib.export.segments import (
    cluster_colour,
    segment_map,
    segments,
)
from MicrocalcSegmentationLib.geometry import Geometry


def read(path):
    """Header fields and (slice, row, col) values of an NRRD, read by its specification."""
    header, _, data = path.read_bytes().partition(b"\n\n")
    fields = {}
    for line in header.decode("utf-8").split("\n")[1:]:
        key, separator, value = line.partition(":=" if ":=" in line else ": ")
        assert separator
        fields[key] = value
    dtype = np.dtype(fields["type"]).newbyteorder("<")
    sizes = [int(size) for size in fields["sizes"].split()]
    return fields, np.frombuffer(gzip.decompress(data), dtype).reshape(sizes[::-1])


def vectors(text):
    return [[float(n) for n in part.strip("()").split(",")] for part in text.split()]


def test_each_pixel_holds_the_value_of_its_segment(tmp_path, make_findings):
    findings = make_findings()
    write_segmentation(findings, tmp_path / "a.seg.nrrd")
    fields, values = read(tmp_path / "a.seg.nrrd")
    assert values.shape == (1, 120, 90)
    for mc in findings.calcifications:
        segment = {1: 1, 2: 2, 0: 3}[mc.cluster]
        assert (values[0][findings.labels == mc.number] == segment).all()
    assert np.count_nonzero(values) == np.count_nonzero(findings.labels)
    assert fields["Segment2_Name"] == "Isolated (2 MCs)"
    assert fields["Segment2_LabelValue"] == "3"
    # Columns first; MCs of the first cluster are centred on rows 20..38, columns 15..31.
    assert fields["Segment0_Extent"] == "14 32 19 39 0 0"


def test_same_findings_give_the_same_bytes(tmp_path, make_findings):
    write_segmentation(make_findings(), tmp_path / "a.seg.nrrd")
    write_segmentation(make_findings(), tmp_path / "b.seg.nrrd")
    assert (tmp_path / "a.seg.nrrd").read_bytes() == (tmp_path / "b.seg.nrrd").read_bytes()


def test_side_is_left_out_where_it_is_not_known(tmp_path, make_findings):
    for laterality, ending in (("L", "~SCT^7771000^Left|"), (None, "~SCT^76752008^Breast~^^|")):
        write_segmentation(make_findings(laterality=laterality), tmp_path / "a.seg.nrrd")
        fields, _ = read(tmp_path / "a.seg.nrrd")
        assert fields["Segment0_Tags"].endswith(ending)


def test_more_clusters_than_a_byte_holds_keep_their_values(tmp_path, make_findings):
    points = [(row, col) for row in range(2, 118, 4) for col in range(2, 88, 4)][:300]
    findings = make_findings({n: [at] for n, at in enumerate(points, start=1)}, [])
    write_segmentation(findings, tmp_path / "a.seg.nrrd")
    fields, values = read(tmp_path / "a.seg.nrrd")
    assert fields["type"] == "uint16"
    assert values[0][points[299]] == 300


def test_isolated_only_makes_one_segment(make_findings):
    findings = make_findings({}, [(10, 10)])
    (only,) = segments(findings)
    assert (only.name, only.value, only.key) == ("Isolated (1 MC)", 1, "Isolated")
    assert segment_map(findings).max() == 1


def test_first_dozen_clusters_and_the_isolated_differ_in_colour():
    colours = np.array([cluster_colour(number) for number in range(13)])
    distances = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    assert distances[~np.eye(13, dtype=bool)].min() > 0.25


def test_colours_beyond_the_dozen_are_valid_and_neighbours_differ():
    colours = np.array([cluster_colour(number) for number in range(13, 60)])
    assert colours.min() >= 0
    assert colours.max() <= 1
    assert np.linalg.norm(np.diff(colours, axis=0), axis=1).min() > 0.25


@st.composite
def geometries(draw):
    """Any orthogonal axes, spacing and origin."""
    matrix = draw(arrays(float, (3, 3), elements=st.floats(-1, 1)))
    axes, _ = np.linalg.qr(matrix + 3 * np.eye(3))  # far from singular
    axes = axes * draw(st.sampled_from([1.0, -1.0]))
    spacing = draw(st.tuples(st.floats(0.01, 2), st.floats(0.01, 2)))
    origin = draw(st.tuples(*[st.floats(-500, 500)] * 3))
    return Geometry(spacing, origin, tuple(map(tuple, axes.T)), draw(st.floats(0.1, 50)))


@settings(max_examples=40, deadline=None)
@given(geometry=geometries(), row=st.integers(1, 118), col=st.integers(1, 88))
def test_header_maps_an_index_to_the_position_of_its_pixel(
    tmp_path_factory, make_findings, geometry, row, col
):
    path = tmp_path_factory.mktemp("nrrd") / "a.seg.nrrd"
    write_segmentation(make_findings({}, [(row, col)], geometry), path)
    fields, values = read(path)
    index = np.argwhere(values).mean(axis=0)[::-1]  # (col, row, slice)
    directions = np.array(vectors(fields["space directions"]))
    (origin,) = vectors(fields["space origin"])
    position = origin + index @ directions
    np.testing.assert_allclose(position, geometry.position_lps([row, col]), atol=1e-9)
