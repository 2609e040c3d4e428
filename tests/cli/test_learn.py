"""`spineseg learn` in this process; the worker it starts is a real one."""

import json
import os
import signal

import pytest
from typer.testing import CliRunner

from napari_spineseg.cli import learn as learn_module
from napari_spineseg.cli import main
from napari_spineseg.errors import ModelError
from napari_spineseg.learning.run.client import LearningRun
from napari_spineseg.learning.run.events import Change, PlanEvent, ScanPlan, StateEvent, VerdictEvent
from napari_spineseg.learning.run.folder import RunFolder
from napari_spineseg.learning.settings import LearnSettings


def call(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        main(["learn", *map(str, words)])
    out = capsys.readouterr()
    return ended.value.code, out.out, out.err


def test_nothing_corrected_says_what_to_do(spineseg_home, tmp_path, capsys):
    code, out, err = call(capsys, "--corrections", tmp_path / "none")
    assert code == 2 and out == "" and "segment a scan, correct it" in err and err.count("\n") == 1


def test_an_unknown_model_is_refused_before_anything_starts(spineseg_home, tmp_path, capsys):
    code, _, err = call(capsys, "--corrections", tmp_path, "--from", "nobody")
    assert code == 2 and "nobody" in err and not (spineseg_home / "learning").exists()


@pytest.mark.parametrize("name", ["ahmed2024", "ahmed2024@1"])
def test_a_model_that_cannot_learn_is_refused_before_anything_starts(spineseg_home, tmp_path, capsys, name):
    code, out, err = call(capsys, "--corrections", tmp_path, "--from", name)
    assert (code, out, err.count("\n")) == (2, "", 1) and "ahmed2024@1" in err and "cannot learn" in err
    assert not (spineseg_home / "learning").exists()
    with pytest.raises(ModelError, match="cannot learn"):
        LearningRun.start(LearnSettings(corrections=tmp_path, model=name))
    assert not (spineseg_home / "learning").exists()


def test_a_name_that_cannot_be_one_is_refused_before_anything_starts(spineseg_home, tmp_path):
    with pytest.raises(ModelError, match=r"\.\./x"):
        LearningRun.start(LearnSettings(corrections=tmp_path, name="../x"))
    assert not (spineseg_home / "learning").exists()


def test_a_name_that_cannot_be_one_is_answered_with_what_a_good_one_is(spineseg_home, tmp_path, capsys):
    for name in ("../x", "my model", "-x", "x" * 65):
        code, out, err = call(capsys, "--corrections", tmp_path, f"--name={name}")
        assert (code, out, err.count("\n")) == (2, "", 1)
        assert "no good name for a model" in err and "my-spine" in err and "Known models" not in err


def test_settings_out_of_range_are_one_line(spineseg_home, capsys):
    code, _, err = call(capsys, "--batch", "1")
    assert code == 2 and "batch" in err


def test_options_come_from_the_settings():
    text = CliRunner().invoke(learn_module.app, ["--help"]).output
    for name in ("corrections", "from", "name", "steps", "device", "learning-rate"):
        assert f"--{name}" in text
    assert "--model" not in text


@pytest.fixture
def told_run(spineseg_home, tmp_path):
    """A run that has ended, as a worker leaves it."""
    folder = RunFolder.create(LearnSettings(corrections=tmp_path, model="lumbar"))
    refused = ScanPlan(scan="bad", sha256="0", version=1, role="refused", sentence="Its labels are empty.")
    learnt = ScanPlan(scan="good", sha256="1", version=1, role="both")
    folder.say(
        PlanEvent(
            parent="lumbar@1", name="x", steps=5, scans=[learnt, refused], split="Split.", replay="Replay."
        )
    )
    change = Change(before=0.5, after=0.8, change=0.3, low=0.2, high=0.4)
    folder.say(
        VerdictEvent(
            promoted=False,
            in_use=False,
            key="lumbar@2",
            parent="lumbar@1",
            reason="Not promoted: because.",
            held_back={"mean": change},
            guard={"mean": change},
            steps=5,
            seconds=1,
        )
    )
    folder.say(StateEvent(phase="finished"))
    return folder


def test_a_verdict_is_told_with_what_to_do_next(told_run, capsys):
    code, out, err = call(capsys, "--follow", told_run.id)
    assert code == 0
    assert out.splitlines()[0] == "Not promoted: because." and "models use lumbar@2" in out
    assert "warning: bad: not learnt from. Its labels are empty." in err


def test_what_has_ended_is_not_stopped(told_run, capsys):
    code, out, err = call(capsys, "--stop", told_run.id, "--json")
    assert (code, out) == (2, "")
    assert (
        err == f"error: Run {told_run.id} has ended already (finished); `spineseg learn --runs` lists them.\n"
    )


@pytest.mark.parametrize("status", ["training", "interrupted"])
def test_stopping_is_for_what_goes_on(told_run, capsys, monkeypatch, status):
    """A word left for an interrupted run would stop it as soon as it is resumed."""
    said = []
    monkeypatch.setattr(LearningRun, "status", status)
    monkeypatch.setattr(LearningRun, "stop", lambda run, how: said.append(how))
    code, out, err = call(capsys, "--stop", told_run.id, "--json")
    if status == "training":
        assert (code, json.loads(out), said) == (0, {"kind": "stopping", "run": told_run.id}, ["keep"])
    else:
        assert (code, out, said, err.count("\n")) == (2, "", [], 1)


def test_json_lines_are_the_events(told_run, capsys):
    code, out, _ = call(capsys, "--follow", told_run.id, "--json")
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and [line["kind"] for line in lines] == ["plan", "verdict", "state"]
    assert lines[1]["held_back"]["mean"]["after"] == 0.8 and lines[0]["run"] == told_run.id


def test_runs_are_listed(told_run, capsys):
    with pytest.raises(SystemExit) as ended:
        main(["learn", "--runs"])
    assert ended.value.code == 0
    assert f"{told_run.id}  finished" in capsys.readouterr().out


def test_an_unknown_run_is_named(spineseg_home, capsys):
    code, _, err = call(capsys, "--resume", "nothing")
    assert code == 2 and "no learning run 'nothing'" in err


@pytest.mark.parametrize("option", ["--follow", "--stop", "--resume", "--corrections"])
def test_an_empty_word_starts_nothing(spineseg_home, capsys, option):
    """`--follow "$RUN"` with an empty variable trained a model."""
    code, out, err = call(capsys, option, "")
    assert (code, out, err.count("\n")) == (2, "", 1) and "is empty" in err
    assert not (spineseg_home / "learning").exists()


def test_of_two_calls_in_one_none_is_left_undone_silently(told_run, capsys):
    code, out, err = call(capsys, "--runs", "--stop", told_run.id)
    assert (code, out) == (2, "") and "--runs and --stop do not go together" in err


def test_a_scheduler_stops_a_run_as_ctrl_c_does(told_run, capsys, monkeypatch):
    said = []
    monkeypatch.setattr(LearningRun, "stop", lambda run, how: said.append(how))

    def follow(run):
        if not said:
            os.kill(os.getpid(), signal.SIGTERM)
        yield from run.new_events()

    monkeypatch.setattr(LearningRun, "follow", follow)
    code, _, err = call(capsys, "--follow", told_run.id)
    assert (code, said) == (0, ["keep"]) and "keeping the best so far" in err
