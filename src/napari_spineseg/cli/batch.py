"""`spineseg batch`: many scans, on this machine or on a Dask cluster, taken up again where they were left."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import Annotated, Any

import typer
from filelock import FileLock, Timeout

from napari_spineseg import __version__, cluster
from napari_spineseg.cli.batch_table import BatchTable
from napari_spineseg.cli.console import Console
from napari_spineseg.cli.manifest import Entry, entries_of
from napari_spineseg.cli.options import OutputFolder, Overwrite, command_app, takes
from napari_spineseg.cli.outputs import Outputs, check_inputs_are_safe, folder_for
from napari_spineseg.cli.run import (
    DONE,
    INTERRUPTED,
    Outcome,
    failed,
    tell,
    terminated_like_interrupted,
    worst,
)
from napari_spineseg.cli.segment import SegmentRun
from napari_spineseg.cli.standing import DONE_BEFORE, standing
from napari_spineseg.errors import OutputError, SettingsError
from napari_spineseg.io import stem_of
from napari_spineseg.models import get_model
from napari_spineseg.segment import SegmentSettings

app = command_app()


@dataclass(frozen=True)
class Task:
    """One scan of a batch, and what is done to it. Travels to other processes."""

    entry: Entry
    job: Outputs
    run: SegmentRun


@app.command()
@takes(SegmentSettings)
def command(
    scans: Annotated[
        list[str],
        typer.Argument(
            metavar="MANIFEST|GLOB", help="A list (.csv, .tsv, .txt), a pattern in quotes, or scans."
        ),
    ],
    output: OutputFolder,
    settings: SegmentSettings,
    scheduler: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="A Dask scheduler, such as tcp://10.0.0.1:8786.")
    ] = None,
    jobs: Annotated[int, typer.Option(metavar="N", min=1, max=64, help="Scans at once on this machine.")] = 1,
    overwrite: Overwrite = False,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object a line: scans, then how many of each kind.")
    ] = False,
) -> None:
    """Segment many scans: for each what `segment` writes, and DIR/batch.csv about all of them.

    A .csv or .tsv list has a column `scan`, and may have `name`, `volume` and `series`; other columns
    are copied to batch.csv. A .txt list names a scan a line. The same call again goes on where it was:
    what is done is kept, what failed is tried again. Exits with 0 if all went well, 2 if a scan or the call
    was bad.
    """
    console = Console(json)
    # By its version: a model that is promoted meanwhile would cut the batch in two.
    model = get_model(settings.model)
    settings = settings.model_copy(update={"model": model.key})
    entries = [entry for entry in entries_of(scans) if not is_result(entry.scan, output)]
    tasks = plan_batch(entries, output.absolute(), settings, overwrite)
    table = BatchTable(output / "batch.csv", [(task.entry, task.job) for task in tasks])
    with folder_for(output), alone_in(output):
        waiting, status = _look_back(tasks, table, console, model.sha256)
        work = partial(cluster.on_cluster, scheduler=scheduler, say=console.note) if scheduler else None
        results = (work or partial(cluster.here, at_once=jobs))(attempt, waiting)
        status = worst([status, _go_on(results, len(waiting), table, console, model.sha256)])
    raise typer.Exit(status)


def is_result(scan: Path, folder: Path) -> bool:
    """Whether a pattern that reaches into the folder for results has found one of them there."""
    for ending in ("_seg.nii.gz", "_uncertainty.nii.gz"):
        if scan.name.endswith(ending) and os.path.realpath(scan.parent) == os.path.realpath(folder):
            return (folder / f"{scan.name.removesuffix(ending)}_seg.json").is_file()
    return False


def plan_batch(entries: list[Entry], folder: Path, settings: SegmentSettings, overwrite: bool) -> list[Task]:
    """Give every scan of a batch its files.

    Raises
    ------
    SettingsError
        If two entries of a list ask for one name.
    OutputError
        If a result would take the place of a scan.
    """
    tasks = []
    for entry, name in zip(entries, names_of(entries), strict=True):
        scan = replace(entry, scan=entry.scan.absolute())
        job = Outputs(scan.scan, folder, name)
        tasks.append(Task(scan, job, SegmentRun(entry.reading, overwrite, settings)))
    check_inputs_are_safe([t.job for t in tasks], {os.path.realpath(t.entry.scan) for t in tasks})
    return tasks


def names_of(entries: list[Entry]) -> list[str]:
    """What the results of each entry are called: as the list says, else by the scan's stem.

    Scans that share a stem, as they do where each patient has a folder, get the folders that tell
    them apart before it: `sub-01_T2`, `sub-02_T2`. Case does not tell names apart, because some
    file systems do not.
    """
    stems = [entry.name or stem_of(entry.scan) or "scan" for entry in entries]
    shared = {s for s in (stem.casefold() for stem in stems) if sum(t.casefold() == s for t in stems) > 1}
    top = Path(os.path.commonpath([entry.scan.absolute().parent for entry in entries]))
    names: list[str] = []
    for entry, stem in zip(entries, stems, strict=True):
        clashes = stem.casefold() in shared
        if clashes and entry.name:
            raise SettingsError(f"Two scans of the list ask for the name {stem!r}.")
        if clashes:
            stem = "_".join((*entry.scan.absolute().parent.relative_to(top).parts, stem))
        names.append(_free(stem, {name.casefold() for name in names}))
    return names


def _free(name: str, taken: set[str]) -> str:
    tried = (name if number == 1 else f"{name}_{number}" for number in count(1))
    return next(candidate for candidate in tried if candidate.casefold() not in taken)


def attempt(task: Task) -> Outcome:
    """Do one scan, in whatever process this is."""
    return task.run.attempt(task.job, cluster.control_of_worker())


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep a second batch out of `folder`. The lock goes with the process, however it ends."""
    lock = FileLock(folder / ".batch.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise OutputError(
            f"Another batch is at work in {folder}; wait for it, or name another folder."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _look_back(tasks: list[Task], table: BatchTable, console: Console, model: str) -> tuple[list[Task], int]:
    """What is left to do, and the exit status of what is not: scans that are done, or that must not be."""
    waiting, statuses = [], [DONE]
    # All of them first: a call that asks for something else must not touch the table.
    for task, outcome in [(task, standing(task.job, task.run, model)) for task in tasks]:
        if outcome is None:
            waiting.append(task)
            continue
        statuses.append(outcome.exit_status)
        table.enter(task.job, outcome)
        if outcome.said == DONE_BEFORE:
            console.record(outcome.record)
        else:
            tell(console, task.job, outcome)
    if kept := len(tasks) - len(waiting):
        console.note(f"{kept} of {len(tasks)} scans are not done again.")
    return waiting, worst(statuses)


def _go_on(
    results: Iterator[tuple[Task, Any]], left: int, table: BatchTable, console: Console, model: str
) -> int:
    """Take results as they come; returns the exit status."""
    statuses, started = [DONE], time.monotonic()
    try:
        with terminated_like_interrupted(), closing(results):
            while len(statuses) <= left:
                with console.bar(f"Batch{_left(len(statuses) - 1, left, started)}") as control:
                    control.step("", len(statuses) - 1, left)
                    task, result = next(results)
                outcome = _checked(task, result, model)
                statuses.append(outcome.exit_status)
                table.enter(task.job, outcome)
                tell(console, task.job, outcome)
    except KeyboardInterrupt:
        console.note(f"Stopped with {left + 1 - len(statuses)} scans to go; the same call goes on from here.")
        return INTERRUPTED
    finally:
        table.write()
    console.say(f"{table.in_words()} -> {table.path}")
    console.record({"summary": table.counts(), "table": table.path})
    return worst(statuses)


def _left(done: int, left: int, started: float) -> str:
    """What a person wants to know while they wait."""
    words = f": {left - done} scan{'s' * (left - done != 1)} to go"
    if done:
        minutes = (time.monotonic() - started) / done * (left - done) / 60
        words += f", about {minutes:.0f} min" if minutes >= 1 else ", less than a minute"
    return words


def _checked(task: Task, result: Outcome | cluster.LostError, model: str) -> Outcome:
    """What a process says it did, seen from here."""
    if isinstance(result, cluster.LostError):
        return failed(task.job, result)
    if result.status == "done" and not task.job.record.is_file():
        return failed(task.job, f"a worker wrote {task.job.main}, which is not seen from here.")
    if result.status == "done" and result.record["model"]["sha256"] != model:
        return failed(task.job, "a worker has another model by this name.")
    # Workers may join after they were asked.
    if result.status == "done" and (there := result.record["versions"]["spineseg"]) != __version__:
        return failed(task.job, f"a worker has SpineSeg {there}, not {__version__}.")
    return result
