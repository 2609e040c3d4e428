"""One call of a command that turns scans into files: every scan is done, whatever becomes of the others."""

from __future__ import annotations

import signal
import traceback
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from napari_spineseg import io
from napari_spineseg.cli.console import Console, show
from napari_spineseg.cli.outputs import Outputs
from napari_spineseg.cli.overlap import Overlap
from napari_spineseg.errors import SpineSegError
from napari_spineseg.progress import Control, Progress
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
class Outcome:
    """What became of one scan.

    Attributes
    ----------
    status
        "done", "skipped", "failed" (a bad scan) or "bug" (a mistake of ours).
    said
        For a person: the result in words, or why there is none. Of a bug, its traceback.
    record
        For a program: what `--json` prints.
    """

    status: Literal["done", "skipped", "failed", "bug"]
    said: str
    record: Mapping[str, Any]

    @property
    def exit_status(self) -> int:
        """Its part of the command's exit status."""
        return {"bug": BUG, "failed": BAD}.get(self.status, DONE)


@dataclass(frozen=True)
class Run(ABC):
    """What one call does to each of its scans. A command fills in `work`."""

    read: Reading
    overwrite: bool

    faults_of_the_call: ClassVar[tuple[type[SpineSegError], ...]] = ()
    """Errors that end the call at once, because the other scans would fare no better."""
    overlaps: ClassVar[bool] = False
    """Whether two scans may be in work at once."""

    @abstractmethod
    def work(self, job: Outputs, control: Control) -> tuple[str, dict[str, Any]]:
        """Make the files of `job`. Returns the result in words and its record, with "warnings" in it."""

    def more_files(self, job: Outputs) -> tuple[Path, ...]:
        """Files of `job` that this call writes besides its main one and its record."""
        return ()

    def attempt(self, job: Outputs, control: Control) -> Outcome:
        """Do one job. Nothing is written for a bad scan.

        Raises
        ------
        SpineSegError
            One of `faults_of_the_call`.
        """
        if not self.overwrite and (there := job.existing(*self.more_files(job))):
            return self._skipped(job, there)
        try:
            summary, record = self.work(job, control)
        except self.faults_of_the_call:
            raise
        except SpineSegError as error:
            return failed(job, error)
        except MemoryError:
            return failed(job, f"this {job.kind.of} needs more memory than there is.")
        except Exception:
            return Outcome("bug", traceback.format_exc(), {})
        return Outcome("done", summary, {"status": "done", "output": job.main, "summary": summary} | record)

    def _skipped(self, job: Outputs, existing: Path) -> Outcome:
        there = f"{show(existing)} is there already"
        if other := job.made_from_another(self.read.picked()):
            there += f" and was made from {other}"
        record = {"status": "skipped", "input": {"path": job.scan.absolute()}, "output": job.main}
        return Outcome("skipped", f"skipped, {there} (--overwrite replaces it).", record)


def failed(job: Outputs, why: object) -> Outcome:
    """Nothing came of `job`."""
    record = {"status": "failed", "input": {"path": job.scan.absolute()}, "error": str(why)}
    return Outcome("failed", str(why), record)


def do_all(run: Run, jobs: Sequence[Outputs], console: Console) -> int:
    """Do every job here, in order, whatever becomes of the others; returns the exit status."""
    statuses: list[int] = []
    try:
        with terminated_like_interrupted():
            work = _overlapped if run.overlaps and len(jobs) > 1 else _one_by_one
            for job, outcome in work(run, jobs, console):
                tell(console, job, outcome)
                statuses.append(outcome.exit_status)
    except KeyboardInterrupt:
        of = jobs[0].kind.of if jobs else "scan"
        console.note(f"Stopped: {statuses.count(DONE)} of {len(jobs)} {of}s are done.")
        return INTERRUPTED
    return worst(statuses)


def _one_by_one(run: Run, jobs: Sequence[Outputs], console: Console) -> Iterator[tuple[Outputs, Outcome]]:
    for job in jobs:
        with console.hushed(), console.bar(job.scan.name, f"{show(job.scan)}: ") as control:
            outcome = run.attempt(job, control)
        yield job, outcome


def _overlapped(run: Run, jobs: Sequence[Outputs], console: Console) -> Iterator[tuple[Outputs, Outcome]]:
    overlap = Overlap(run.attempt)
    try:
        # Hushed throughout: the other scan's libraries may speak at any time.
        with console.hushed(), closing(overlap.results(jobs)) as results:
            for number in range(1, len(jobs) + 1):
                with console.bar(f"{number} of {len(jobs)}") as control:
                    overlap.on_progress, overlap.on_warning = _teller(control), _warner(control)
                    job, outcome = next(results)
                yield job, outcome
    except KeyboardInterrupt:
        yield from ((job, outcome) for job, outcome in overlap.finished() if outcome.status == "done")
        raise


def _teller(control: Control) -> Callable[[Outputs, Progress], None]:
    return lambda job, progress: control.step(
        f"{job.scan.name}  {progress.stage}", progress.done, progress.total
    )


def _warner(control: Control) -> Callable[[Outputs, str], None]:
    return lambda job, sentence: control.warn(f"{show(job.scan)}: {sentence}")


def worst(statuses: Iterable[int]) -> int:
    """The exit status of a call from those of its scans: a bug outranks a bad scan."""
    found = {DONE, *statuses}
    return BUG if BUG in found else max(found)


def tell(console: Console, job: Outputs, outcome: Outcome) -> None:
    """Say what became of a scan: to a person, and to a program that asked for it."""
    match outcome.status:
        case "bug":
            console.bug(job.scan, outcome.said)
            return
        case "failed":
            console.fail(job.scan, outcome.said)
        case "skipped":
            console.note(f"{show(job.scan)}: {outcome.said}")
        case "done":
            # Remarks were said when the call was planned, and some warnings while it was in work.
            for warning in [w for w in outcome.record["warnings"] if w not in job.remarks]:
                console.warn_once(f"{show(job.scan)}: {warning}")
            console.say(f"{show(job.scan)}: {outcome.said} -> {show(job.main)}")
    console.record(outcome.record)


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
