"""One call of a command that turns scans into files: every scan is done, whatever becomes of the others."""

from __future__ import annotations

import signal
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from napari_spineseg import io
from napari_spineseg.cli.console import Console, show
from napari_spineseg.cli.outputs import Outputs
from napari_spineseg.errors import SpineSegError
from napari_spineseg.progress import Control
from napari_spineseg.scan import Scan

DONE, BUG, BAD, INTERRUPTED = 0, 1, 2, 130


@dataclass(frozen=True)
class Reading:
    """What to take from files that hold more than one volume."""

    volume: int | None = None
    series: str | None = None

    def __call__(self, path: Path) -> Scan:
        """Read `path`."""
        return io.read_scan(path, volume=self.volume, series=self.series)

    def picked(self) -> dict[str, Any]:
        """What was asked for by name, for the record of the scan."""
        asked = {"volume": self.volume, "series": self.series}
        return {name: value for name, value in asked.items() if value is not None}


@dataclass(frozen=True)
class Run(ABC):
    """One call. A command fills in `work`."""

    console: Console
    read: Reading
    overwrite: bool

    faults_of_the_call: ClassVar[tuple[type[SpineSegError], ...]] = ()
    """Errors that end the call at once, because the other scans would fare no better."""

    @abstractmethod
    def work(self, job: Outputs, control: Control) -> tuple[str, dict[str, Any]]:
        """Make the files of `job`. Returns the result in words and its record, with "warnings" in it."""

    def more_files(self, job: Outputs) -> tuple[Path, ...]:
        """Files of `job` that this call writes besides its main one and its record."""
        return ()

    def all(self, jobs: Sequence[Outputs]) -> int:
        """Do every job, whatever becomes of the others; returns the exit status."""
        statuses = [DONE]
        try:
            with terminated_like_interrupted():
                for job in jobs:
                    statuses.append(self.one(job))
        except KeyboardInterrupt:
            self.console.note(f"Stopped: {statuses.count(DONE) - 1} of {len(jobs)} scans are done.")
            return INTERRUPTED
        return BUG if BUG in statuses else max(statuses)

    def one(self, job: Outputs) -> int:
        """Do one job; returns its part of the exit status. Nothing is written for a bad scan."""
        if not self.overwrite and (there := job.existing(*self.more_files(job))):
            return self._skip(job, there)
        try:
            with self.console.hushed(), self.console.bar(job.scan.name) as control:
                summary, record = self.work(job, control)
        except self.faults_of_the_call:
            raise
        except SpineSegError as error:
            return self._fail(job, error)
        except MemoryError:
            return self._fail(job, "this scan needs more memory than there is.")
        except Exception:
            self.console.bug(job.scan)
            return BUG
        for warning in record["warnings"]:
            self.console.warn(f"{show(job.scan)}: {warning}")
        self.console.say(f"{show(job.scan)}: {summary} -> {show(job.main)}")
        self.console.record({"status": "done", "output": job.main, "summary": summary} | record)
        return DONE

    def _skip(self, job: Outputs, existing: Path) -> int:
        there = f"{show(job.scan)}: skipped, {show(existing)} is there already"
        if other := job.made_from_another(self.read.picked()):
            there += f" and was made from {other}"
        self.console.note(f"{there} (--overwrite replaces it).")
        self.console.record({"status": "skipped", "input": {"path": job.scan.absolute()}, "output": job.main})
        return DONE

    def _fail(self, job: Outputs, why: object) -> int:
        self.console.fail(job.scan, why)
        self.console.record({"status": "failed", "input": {"path": job.scan.absolute()}, "error": str(why)})
        return BAD


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Let SIGTERM (a scheduler's way to stop us) unwind like Ctrl-C, so that nothing half-done stays."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
