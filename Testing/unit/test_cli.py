"""The command: its usage, exit codes, and what goes to which stream."""

import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace

import pytest
from MicrocalcSegmentationLib import __version__
from MicrocalcSegmentationLib.cli import COMMANDS, build_parser, main, segment
from MicrocalcSegmentationLib.cli.terminal import Lines
from MicrocalcSegmentationLib.errors import Cancelled, InputError, ModelError

LIST_HEAVY = """
import sys
from MicrocalcSegmentationLib.cli import main
try:
    main({argv!r})
except SystemExit as stop:
    assert not stop.code, stop.code
heavy = ("numpy", "scipy", "SimpleITK", "pydicom", "keras", "tensorflow", "tqdm")
print("HEAVY", [name for name in heavy if name in sys.modules])
"""


def command(run, **arguments):
    """A command with the five names that `main` needs."""
    named = {"SUMMARY": "s", "DESCRIPTION": "d", "EXAMPLES": "e"}

    def add_arguments(parser):
        parser.add_argument("--json", action="store_true")

    return SimpleNamespace(NAME="try", add_arguments=add_arguments, run=run, **named)


def failing_with(error):
    def run(args):
        raise error

    return (command(run),)


def segment_with(argv, load):
    """Run `microcalc segment` with something else in place of model and pipeline."""
    args = build_parser().parse_args(["segment", *map(str, argv)])
    return segment.run(args, load)


@pytest.fixture
def load(make_findings):
    findings = make_findings()

    def load_segmenter(args):
        def segment_one(path, progress):
            progress.report(0.5, "looking")
            if "refuse" in path.name:
                raise InputError(f"{path.name}: truncated; export it again")
            return replace(findings, odds_divisor=9.0) if "unlike" in path.name else findings

        return segment_one

    return load_segmenter


@pytest.mark.parametrize("argv", [["--help"], ["segment", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(argv):
    code = LIST_HEAVY.format(argv=argv)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "HEAVY []"


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "MicrocalcSegmentationLib.cli", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"microcalc {__version__}\n"


@pytest.mark.parametrize("name", [command.NAME for command in COMMANDS])
def test_the_help_of_each_command_teaches(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert re.search(rf"examples?:\n(  .*\n)*  microcalc {name}", text)


def test_segment_says_where_results_go(capsys):
    with pytest.raises(SystemExit):
        main(["segment", "--help"])
    text = capsys.readouterr().out
    for name in (
        "findings.json",
        "calcifications.csv",
        "clusters.csv",
        "overlay.png",
        "summary.csv",
    ):
        assert name in text


@pytest.mark.parametrize(
    ("argv", "complaint"),
    [
        ([], "COMMAND"),
        (["nonsense"], "invalid choice"),
        (["segment", "a.dcm"], "--output"),
        (["segment", "--output", "x"], "IMAGE"),
        (["segment", "a.dcm", "-o", "x", "--threshold", "1.5"], "1.5 is no probability"),
        (["segment", "a.dcm", "-o", "x", "--threshold", "0"], "0 is no probability"),
        (["segment", "a.dcm", "-o", "x", "--detector-threshold", "nan"], "nan is no probability"),
        (["segment", "a.dcm", "-o", "x", "--spacing-mm", "fine"], "'fine' is not a number"),
        (["segment", "a.dcm", "-o", "x", "--spacing-mm", "1,2,3"], "ROW,COL"),
        (["segment", "a.dcm", "-o", "x", "--device", "tpu"], "invalid choice"),
        (["simulate", "-o", "x", "--count", "0"], "whole number from 1"),
        (["simulate", "-o", "x", "--seed", "-1"], "whole number from 0"),
        (["evaluate", "folder", "--simulate", "3"], "only one of"),
        (["evaluate", "--samples", "s.sqlite", "--simulate", "3"], "only one of"),
        (["evaluate", "folder", "--split", "test"], "--split needs --samples"),
        (["train", "detector", "-o", "x"], "and --samples, together"),
        (["train", "arteries", "-o", "x", "--samples", "s"], "and --samples, together"),
        (["train", "arteries", "-o", "x", "--start", "eleventh"], "are learnt from nothing"),
        (["train", "arteries", "-o", "x", "--kinds", "film"], "from sheets of every kind"),
        (["train", "-o", "x", "--samples", "s.sqlite"], "detector or segmentator"),
        (["experiment", "depth", "--samples", "s", "-o", "x"], "invalid choice"),
    ],
)
def test_wrong_usage_exits_2_and_says_why(argv, complaint, capsys):
    with pytest.raises(SystemExit) as stop:
        main(argv)
    assert stop.value.code == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "expected"), [("0.05", (0.05, 0.05)), ("0.05,0.07", (0.05, 0.07)), ("-1", (-1, -1))]
)
def test_spacing_is_one_number_or_two(given, expected):
    args = build_parser().parse_args(["segment", "a", "-o", "x", "--spacing-mm", given])
    assert args.spacing_mm == expected


@pytest.mark.parametrize("error", [InputError("a.dcm: too small"), ModelError("a.dcm: too small")])
def test_a_failure_is_one_sentence_and_exit_1(error, capsys):
    assert main(["try"], failing_with(error)) == 1
    streams = capsys.readouterr()
    assert (streams.out, streams.err) == ("", "microcalc: a.dcm: too small\n")


def test_with_json_a_failure_is_one_object_on_stdout(capsys):
    assert main(["try", "--json"], failing_with(InputError("too small"))) == 1
    assert json.loads(capsys.readouterr().out) == {"error": "too small"}


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), Cancelled()])
def test_stopping_exits_130_without_traceback(stop, capsys):
    assert main(["try"], failing_with(stop)) == 130
    assert "stopped" in capsys.readouterr().err


def test_errors_of_ours_are_not_hidden():
    with pytest.raises(ZeroDivisionError):
        main(["try"], failing_with(ZeroDivisionError()))


def test_tensorflow_is_told_to_be_silent_before_any_work(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    seen = []
    assert main(["try"], (command(lambda args: seen.append(_tensorflow_level()) or 0),)) == 0
    assert seen == ["3"]


def _tensorflow_level():
    return os.environ.get("TF_CPP_MIN_LOG_LEVEL")


def test_all_done_exits_0_and_tells_each_result(tmp_path, load, capsys):
    assert segment_with([tmp_path / "a.dcm", "-o", tmp_path / "out"], load) == 0
    text = capsys.readouterr().out
    assert f"a.dcm: 15 MCs, 2 clusters -> {tmp_path / 'out' / 'a'}" in text
    assert "1 done, 0 refused" in text


def test_an_image_unlike_what_was_learnt_from_is_told_of(tmp_path, load, capsys):
    images = [tmp_path / "unlike.dcm", tmp_path / "b.dcm"]
    assert segment_with([*images, "-o", tmp_path / "out"], load) == 0
    (told,) = [line for line in capsys.readouterr().err.splitlines() if "note" in line]
    assert "unlike.dcm: 9 times as many doubtful spots" in told


def test_one_refused_of_two_exits_1_with_the_sentence(tmp_path, load, capsys):
    images = [tmp_path / "refuse.dcm", tmp_path / "b.dcm"]
    assert segment_with([*images, "-o", tmp_path / "out"], load) == 1
    streams = capsys.readouterr()
    assert "microcalc: refuse.dcm: truncated; export it again\n" in streams.err
    assert "1 done, 1 refused" in streams.out
    assert (tmp_path / "out" / "b" / "findings.json").exists()


def test_json_prints_one_object_and_nothing_else(tmp_path, load, capsys):
    images = [tmp_path / "refuse.dcm", tmp_path / "b.dcm"]
    assert segment_with([*images, "-o", tmp_path / "out", "--json"], load) == 1
    summary = json.loads(capsys.readouterr().out)
    assert (summary["done"], summary["refused"]) == (1, 1)
    assert [image["status"] for image in summary["images"]] == ["refused", "done"]
    assert summary["images"][1]["clusters"] == 2


def test_quiet_says_only_what_is_refused(tmp_path, load, capsys):
    images = [tmp_path / "refuse.dcm", tmp_path / "b.dcm"]
    segment_with([*images, "-o", tmp_path / "out", "--quiet"], load)
    streams = capsys.readouterr()
    assert streams.out == ""
    assert streams.err == "microcalc: refuse.dcm: truncated; export it again\n"


def test_progress_goes_to_stderr_as_lines_when_it_is_no_terminal(tmp_path, load, capsys):
    segment_with([tmp_path / "a.dcm", "-o", tmp_path / "out"], load)
    assert capsys.readouterr().err.startswith("[  0%] a.dcm (1 of 1): reading\n")


def test_a_folder_without_images_is_refused(tmp_path, load):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="empty: no image in there"):
        segment_with([tmp_path / "empty", "-o", tmp_path / "out"], load)


def test_an_unwritable_output_is_refused_before_the_model_is_loaded(tmp_path):
    def never(args):
        pytest.fail("loaded a model although nothing can be written")

    (tmp_path / "out").write_text("")
    with pytest.raises(InputError, match="choose another output folder"):
        segment_with([tmp_path / "a.dcm", "-o", tmp_path / "out"], never)


def test_lines_are_few_and_tell_the_time_left():
    lines, clock = [], iter([0, 0, 1, 20, 21, 60, 200, 400])
    progress = Lines(lines.append, lambda: next(clock))
    progress.report(0.0, "one")
    progress.report(0.1, "two")  # too soon
    progress.report(0.25, "three")
    progress.report(0.3, "three")  # nothing new
    progress.report(0.3, "three")
    progress.report(0.5, "four")
    progress.report(1.0, "done")
    assert lines == [
        "[  0%] one",
        "[ 25%] three, 60 s left",
        "[ 50%] four, about 3 min left",
        "[100%] done",
    ]


BAR = """
from MicrocalcSegmentationLib.cli.terminal import progress_on_stderr
with progress_on_stderr() as progress:
    for step in range(5):
        progress.report(step / 4, f"step {step}")
"""


def test_on_a_terminal_a_bar_tells_what_is_done_and_the_time_left():
    ours, its = pty.openpty()  # a terminal that does not say how large it is
    with subprocess.Popen([sys.executable, "-c", BAR], stderr=its) as process:
        process.wait()
    os.close(its)
    shown = os.read(ours, 1 << 16).decode()
    os.close(ours)
    assert re.search(r" 50% \|█+ +\| \d\d:\d\d, \d\d:\d\d left +step 2", shown)
    assert "step 4" in shown
    assert "\n" not in shown


@pytest.mark.parametrize("given", [["detector", "--samples", "s.sqlite"], []])
def test_no_steps_without_a_pair_to_keep_from_are_wrong_usage(given, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["train", *given, "-o", "y", "--steps", "0,20"])
    assert "--steps: 0 keeps a network of --start" in capsys.readouterr().err
