"""The extension's CMake files, configured against stand-ins of Slicer's macros."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import MicrocalcSegmentationLib
import pytest
from MicrocalcSegmentationLib.model import DEFAULT_MODEL

MODULE = Path(MicrocalcSegmentationLib.__file__).parents[1]
ROOT = MODULE.parent
# Like Slicer's macro, it takes lists of files, and fails on one that is not there.
USE_FILE = """
macro(slicerMacroBuildScriptedModule)
  cmake_parse_arguments(MODULE "WITH_GENERIC_TESTS;WITH_SUBDIR" "NAME" "SCRIPTS;RESOURCES" ${ARGN})
  if(MODULE_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "unknown arguments: ${MODULE_UNPARSED_ARGUMENTS}")
  endif()
  foreach(shipped ${MODULE_SCRIPTS} ${MODULE_RESOURCES})
    if(NOT EXISTS "${CMAKE_CURRENT_SOURCE_DIR}/${shipped}")
      message(FATAL_ERROR "missing: ${shipped}")
    endif()
    file(APPEND "${CMAKE_BINARY_DIR}/shipped.txt" "${shipped}\\n")
  endforeach()
endmacro()
"""
CONFIG = """
set(Slicer_USE_FILE "${CMAKE_CURRENT_LIST_DIR}/use.cmake")
set(Slicer_EXTENSION_GENERATE_CONFIG "${CMAKE_CURRENT_LIST_DIR}/metadata.cmake")
set(Slicer_EXTENSION_CPACK "${CMAKE_CURRENT_LIST_DIR}/metadata.cmake")
"""
METADATA = """
foreach(name HOMEPAGE CATEGORY CONTRIBUTORS DESCRIPTION ICONURL SCREENSHOTURLS DEPENDS)
  if("${EXTENSION_${name}}" STREQUAL "")
    message(FATAL_ERROR "EXTENSION_${name} is not set")
  endif()
endforeach()
"""


@pytest.fixture
def configure(tmp_path):
    """A function (source folder) -> CompletedProcess of cmake, and its build folder."""
    program = shutil.which("cmake") or str(Path(sys.executable).with_name("cmake"))
    stand_ins, build = tmp_path / "slicer", tmp_path / "build"
    stand_ins.mkdir()
    (stand_ins / "SlicerConfig.cmake").write_text(CONFIG)
    (stand_ins / "use.cmake").write_text(USE_FILE)
    (stand_ins / "metadata.cmake").write_text(METADATA)

    def run(source):
        command = [program, "-S", str(source), "-B", str(build), f"-DSlicer_DIR={stand_ins}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        return done, build

    return run


def copy_of_sources(folder):
    """The extension alone, without what a build or a test leaves behind."""
    ignored = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(MODULE, folder / MODULE.name, ignore=ignored)
    shutil.copy(ROOT / "CMakeLists.txt", folder)
    # No compiler is needed to see which files are shipped, nor to be had everywhere.
    text = (folder / "CMakeLists.txt").read_text()
    text = text.replace("project(MicrocalcSegmentation)", "project(MicrocalcSegmentation NONE)")
    (folder / "CMakeLists.txt").write_text(text)
    return folder


def test_every_file_of_the_module_is_shipped(configure, tmp_path):
    source = copy_of_sources(tmp_path / "source")
    done, build = configure(source)
    assert done.returncode == 0, done.stderr
    shipped = set((build / "shipped.txt").read_text().split("\n")) - {""}
    module = source / MODULE.name
    there = {path.relative_to(module).as_posix() for path in module.rglob("*") if path.is_file()}
    assert shipped == there - {"CMakeLists.txt"}
    assert {
        "MicrocalcSegmentation.py",
        "Resources/UI/MicrocalcSegmentation.ui",
        "Resources/Icons/MicrocalcSegmentation.png",
        f"MicrocalcSegmentationLib/models/{DEFAULT_MODEL}/manifest.json",
        "Scripts/segment_mammograms.py",
    } <= shipped


def test_a_missing_module_file_stops_the_build(configure, tmp_path):
    source = copy_of_sources(tmp_path / "source")
    (source / MODULE.name / "MicrocalcSegmentation.py").unlink()
    done, _ = configure(source)
    assert done.returncode != 0
    assert "missing: MicrocalcSegmentation.py" in done.stderr


def test_missing_metadata_stops_the_build(configure, tmp_path):
    source = copy_of_sources(tmp_path / "source")
    text = (source / "CMakeLists.txt").read_text()
    (source / "CMakeLists.txt").write_text(re.sub(r"set\(EXTENSION_ICONURL.*\n", "", text))
    done, _ = configure(source)
    assert done.returncode != 0
    assert "EXTENSION_ICONURL is not set" in done.stderr


def test_the_index_entry_agrees_with_the_build_files():
    entry = json.loads((ROOT / "MicrocalcSegmentation.json").read_text())
    build = (ROOT / "CMakeLists.txt").read_text()
    settings = dict(re.findall(r'set\(EXTENSION_(\w+) "(.*)"\)', build))
    assert entry["category"] == settings["CATEGORY"]
    assert entry["scm_url"] == settings["HOMEPAGE"] + ".git"
    assert entry["build_dependencies"] == []


def test_the_index_entry_is_as_its_schema_has_it():
    """Slicer's Schemas/slicer-extension-catalog-entry-schema-v1.0.1.json, in short."""
    entry = json.loads((ROOT / "MicrocalcSegmentation.json").read_text())
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.1.json#")
    assert {"$schema", "category", "scm_url"} <= set(entry)
    optional = {"scm_revision", "scm_type", "build_dependencies", "build_subdirectory", "tier"}
    assert set(entry) <= {"$schema", "category", "scm_url", "enabled"} | optional
    assert entry["tier"] in (1, 3, 5)
    # The file's name is the extension's, the repository's is Slicer and that name.
    assert entry["scm_url"].endswith("/SlicerMicrocalcSegmentation.git")


def test_what_the_index_asks_of_the_readme_and_the_repository_is_there():
    readme = (ROOT / "README.md").read_text("utf-8")
    assert readme.startswith("# Microcalcification Segmentation")
    assert "Apache-2.0" in readme  # the licence by name
    assert "9360941" in readme  # the publication
    assert "Sample Data" in readme
    for picture in re.findall(r"!\[[^]]*\]\(([^)]*)\)", readme):
        assert (ROOT / picture).is_file(), picture
    assert (ROOT / "LICENSE").read_text().strip().startswith("Apache License")


def test_what_the_catalogue_shows_is_there():
    from PIL import Image

    build = (ROOT / "CMakeLists.txt").read_text()
    urls = re.findall(r"https://raw[^\" ]*", build)
    assert len(urls) == 4
    for url in urls:
        path = ROOT / url.split("/main/")[1]
        with Image.open(path) as image:
            assert image.size >= (128, 128), path
    with Image.open(ROOT / "Resources/MicrocalcSegmentation.png") as icon:
        assert icon.size == (128, 128)  # as the index asks for
