"""What the command says, where: results on stdout, everything else on stderr, one thing a line.

Libraries write to both as they please, some from C++. While a scan is worked on, both streams
therefore lead nowhere, and the command speaks through copies that it made of them before.
"""

from __future__ import annotations

import json
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any, TextIO

from napari_spineseg.cli.streams import print_line
from napari_spineseg.progress import Control, Progress
from napari_spineseg.strict_json import as_text, strict

_BREAKS = re.compile(r"[ \t]*[\n\r\t\v\f\x85\u2028\u2029]\s*")


def flat(text: object) -> str:
    """`text` as one line that a terminal prints and does not obey: no newlines, no control characters.

    Spaces within a line stay as they are: they may be part of a file's name.
    """
    return _harmless(_BREAKS.sub(" ", str(text).strip()))


def show(path: Path) -> str:
    """A path as a person typed it, on one line; what cannot be printed is spelt out."""
    return _harmless(as_text(path))


class Console:
    """The two streams of the command.

    Parameters
    ----------
    json_lines
        Whether stdout carries one JSON object a line instead of sentences.
    """

    def __init__(self, json_lines: bool = False) -> None:
        self.json_lines = json_lines
        self._out, self._err = _copy_of(sys.stdout), _copy_of(sys.stderr)
        self._warned: set[object] = set()
        self.heard = True
        """Whether somebody still reads stdout. What a command writes to files is made all the same."""

    def say(self, sentence: object) -> None:
        """A result for a person, on stdout; nothing where stdout carries JSON."""
        if not self.json_lines:
            self._put(flat(sentence))

    def line(self, text: str) -> None:
        """Like `say`, for a line of a table, whose spaces mean something."""
        if not self.json_lines:
            self._put(_harmless(text))

    def record(self, content: Mapping[str, Any]) -> None:
        """A result for a program: one line of strict JSON on stdout, if that was asked for."""
        if self.json_lines:
            self._put(json.dumps(strict(content), allow_nan=False))

    def _put(self, line: str) -> None:
        self.heard = print_line(line, self._out) and self.heard

    def note(self, sentence: object) -> None:
        """Something a person may want to know, on stderr."""
        print_line(flat(sentence), self._err)

    def warn(self, sentence: object) -> None:
        """Something a person should look at, on stderr."""
        print_line(f"warning: {flat(sentence)}", self._err)

    def warn_once(self, sentence: object) -> None:
        """The same, unless it was said before."""
        if sentence not in self._warned:
            self._warned.add(sentence)
            self.warn(sentence)

    def fail(self, path: Path, why: object) -> None:
        """Why nothing came of `path`: one line on stderr that names it."""
        print_line(f"error: {show(path)}: {_without_name(path, flat(why))}", self._err)

    def bug(self, path: Path, trace: str) -> None:
        """The traceback of an exception which is a mistake of ours."""
        print_line(
            f"error: {show(path)}: this is a bug in SpineSeg; please report it with what follows.", self._err
        )
        print_line(trace.rstrip(), self._err)

    @contextmanager
    def hushed(self) -> Iterator[None]:
        """Both streams lead nowhere inside, for Python and for C++ alike."""
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        kept = os.dup(1), os.dup(2)
        try:
            with open(os.devnull, "w") as nowhere, warnings.catch_warnings():
                warnings.simplefilter("ignore")
                os.dup2(nowhere.fileno(), 1)
                os.dup2(nowhere.fileno(), 2)
                with redirect_stdout(nowhere), redirect_stderr(nowhere):
                    yield
        finally:
            for original, handle in enumerate(kept, start=1):
                os.dup2(handle, original)
                os.close(handle)

    @contextmanager
    def bar(self, title: str, whose: str = "") -> Iterator[Control]:
        """A progress bar for one job, on a terminal only. Yields what the job reports to.

        Its warnings are said at once, and once, with `whose` before them.
        """
        if not self._err.isatty():
            yield Control(on_warning=lambda sentence: self.warn_once(whose + sentence))
            return
        from rich.console import Console as Terminal
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}", markup=False), BarColumn(), TimeElapsedColumn())
        with Bar(*columns, console=Terminal(file=self._err), transient=True) as bar:
            task = bar.add_task(flat(title), total=None)

            def show_progress(progress: Progress) -> None:
                stage = f"{flat(title)}  {progress.stage}"
                bar.update(task, description=stage, completed=progress.done, total=progress.total)

            def warn(sentence: str) -> None:
                bar.stop()  # or the line would end up in the bar's
                self.warn_once(whose + sentence)
                bar.start()

            yield Control(show_progress, on_warning=warn)


def _copy_of(stream: TextIO) -> TextIO:
    """A stream of our own to the same place. Falls back to `stream` where it is no file (in a notebook)."""
    try:
        handle = os.dup(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return stream
    return open(handle, "w", encoding="utf-8", errors="backslashreplace", buffering=1)


def _without_name(path: Path, reason: str) -> str:
    """`reason` without the name of `path` before it, which readers put there, with or without its ending."""
    last = show(Path(path.name))
    for name in (show(path), last):
        if name and reason.startswith(f"{name}: "):
            return reason[len(name) + 2 :]
    name, colon, rest = reason.partition(": ")
    return rest if colon and last.startswith(f"{name}.") else reason


def _harmless(line: str) -> str:
    """`line` with control characters, newlines too, spelt out."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in line)
