import os
import subprocess
import sys
from pathlib import Path

import pytest

from napari_spineseg import __version__
from napari_spineseg.cli import COMMANDS, main


def run(*words):
    return subprocess.run(
        [sys.executable, "-c", "from napari_spineseg.cli import main; main()", *words],
        capture_output=True,
        text=True,
        timeout=60,
    )


def test_help_names_every_command(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--help"])
    assert exit_.value.code == 0
    out = capsys.readouterr().out
    for name, line in COMMANDS.items():
        assert f"{name} " in out
        assert line in out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_help_of_its_own(capsys, name):
    with pytest.raises(SystemExit) as exit_:
        main([name, "--help"])
    assert exit_.value.code == 0
    assert f"spineseg {name}" in capsys.readouterr().out


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_docs(name):
    page = Path(__file__).parents[2] / "docs" / "command-line.md"
    assert f"## {name}\n" in page.read_text(encoding="utf-8")


def test_help_is_quick():
    """The promise is 300 ms. Processor time, because the machine that tests may be busy."""
    before = os.times()
    assert run("--help").returncode == 0
    after = os.times()
    assert sum(after[2:4]) - sum(before[2:4]) < 0.3


def test_version(capsys):
    with pytest.raises(SystemExit) as exit_:
        main(["--version"])
    assert (exit_.value.code, capsys.readouterr().out) == (0, f"spineseg {__version__}\n")


@pytest.mark.parametrize("name", ["nonsense", "--nonsense"])
def test_an_unknown_command_is_one_line(spineseg, name):
    line = f"error: There is no command '{name}'; `spineseg --help` lists them.\n"
    assert spineseg(name) == (2, "", line)


@pytest.mark.parametrize("words", [(), ("segment", "--nonsense")])
def test_a_call_that_is_not_understood_is_bad(words):
    done = run(*words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["corrections", "dataset", "models", "reproduce"])
def test_lines_of_a_group_are_whole(spineseg, name):
    _, out, _ = spineseg(name, "--help")
    lines = out[out.index("Commands:") :].splitlines()[1:]
    assert lines
    assert all(line.endswith(".") and not line.endswith(("...", "al.")) for line in lines)


def test_what_the_disk_refuses_is_one_sentence(spineseg, tmp_path):
    """Also where a command has no words of its own for it."""
    (tmp_path / "file").write_text("mine")
    (tmp_path / "in").mkdir()
    words = ("dataset", "prepare", tmp_path / "in", "-o", tmp_path / "file")
    status, out, err = spineseg(*words)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err


@pytest.mark.parametrize(("number", "status"), [("EACCES", 2), ("ENOSPC", 2), ("ENOENT", None)])
def test_a_missing_file_of_ours_stays_a_bug(spineseg, monkeypatch, number, status):
    import errno

    def broken():
        raise OSError(getattr(errno, number), "No", "some/file")

    monkeypatch.setattr("napari_spineseg.cli.models.list_models", broken)
    if status is None:
        with pytest.raises(OSError, match="some/file"):
            main(["models", "list"])
    else:
        assert spineseg("models", "list") == (2, "", "error: some/file cannot be written or read: No.\n")


def test_an_interrupt_has_its_own_status(spineseg, monkeypatch):
    def interrupted():
        raise KeyboardInterrupt

    monkeypatch.setattr("napari_spineseg.cli.models.list_models", interrupted)
    assert spineseg("models", "list")[0] == 130
