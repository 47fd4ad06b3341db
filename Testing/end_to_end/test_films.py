"""Real whole films: DICOM without any spacing tag."""

import csv
import json
import resource


def test_every_film_is_refused_without_a_spacing(microcalc, films, tmp_path):
    done = microcalc("segment", *films, "--output", tmp_path / "out", "--quiet")
    assert done.returncode == 1
    for film in films:
        (sentence,) = [line for line in done.stderr.splitlines() if film.name in line]
        assert "--spacing-mm" in sentence
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("out/*/*"))


def test_every_film_is_segmented_with_a_spacing_within_six_gigabytes(
    microcalc, films, result_files, tmp_path
):
    done = microcalc("segment", *films, "--spacing-mm", "0.05", "--output", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    json.loads(done.stdout)
    for film in films:
        folder = tmp_path / film.stem
        names = {path.name for path in folder.iterdir()}
        assert names >= result_files | {f"{film.stem}.seg.nrrd", f"{film.stem}.mrk.json"}
        found = json.loads((folder / "findings.json").read_text())
        with (folder / "clusters.csv").open() as file:
            assert len(list(csv.DictReader(file))) == len(found["clusters"])
    peak_gib = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20
    assert peak_gib < 6
