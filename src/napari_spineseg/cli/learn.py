"""`spineseg learn`: from corrections to a model that has passed the gate, or has not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from napari_spineseg.cli.console import Console
from napari_spineseg.cli.options import command_app, takes
from napari_spineseg.cli.run import terminated_like_interrupted
from napari_spineseg.errors import SettingsError
from napari_spineseg.learning.run.client import (
    LearningRun,
    interrupted_runs,
    list_runs,
    living_runs,
    open_run,
)
from napari_spineseg.learning.run.events import (
    Event,
    FiguresEvent,
    NoteEvent,
    PlanEvent,
    ProgressEvent,
    StateEvent,
    VerdictEvent,
)
from napari_spineseg.learning.run.outlook import outlook
from napari_spineseg.learning.run.starting import model_to_learn_from
from napari_spineseg.learning.settings import LearnSettings
from napari_spineseg.models.registry import check_new_name
from napari_spineseg.progress import Control

app = command_app(help="Learn from corrections.")

# Ended, whatever the verdict; a bug; nothing to learn from, or a bad call; left by Ctrl-C.
DONE, BUG, BAD, INTERRUPTED = 0, 1, 2, 130


@app.command()
@takes(LearnSettings)
def learn(
    settings: LearnSettings,
    detach: Annotated[
        bool, typer.Option("--detach", help="Return at once; the run goes on by itself.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option("--resume", metavar="RUN", help="Go on with a run that was interrupted.")
    ] = None,
    follow: Annotated[
        str | None,
        typer.Option("--follow", metavar="RUN", help="Show a run that goes on, whoever started it."),
    ] = None,
    stop: Annotated[
        str | None, typer.Option("--stop", metavar="RUN", help="Stop a run and keep its best.")
    ] = None,
    runs: Annotated[bool, typer.Option("--runs", help="List the runs there are.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print each event as one JSON object a line.")] = False,
) -> None:
    """Train from the corrections that are done, judge the result, and register it.

    The new model comes into use if it is better on held-back corrections and not worse elsewhere;
    otherwise it is kept under its number, and what is used stays. Ctrl-C stops the training and keeps the
    best so far; a second one leaves the run as it is, to be resumed.
    """
    console = Console(json)
    _one_of({"--runs": runs, "--stop": stop, "--follow": follow, "--resume": resume})
    if runs:
        _list(console)
    elif stop:
        _stop(console, open_run(stop))
    elif follow:
        sys.exit(_follow(console, open_run(follow)))
    elif resume:
        run = open_run(resume)
        run.resume(outlives=detach)
        sys.exit(DONE if detach else _follow(console, run))
    else:
        sys.exit(_start(console, settings, detach))


def _one_of(asked: Mapping[str, object]) -> None:
    """Each is a call of its own: one of two would be left undone without a word."""
    if len(chosen := [name for name, value in asked.items() if value]) > 1:
        raise SettingsError(f"{' and '.join(chosen)} do not go together; name one of them.")


def _stop(console: Console, run: LearningRun) -> None:
    status = run.status
    if status == "interrupted":
        # A word left for later would stop it as soon as it is resumed.
        raise SettingsError(f"Run {run.id} was interrupted and is not going on; --resume {run.id} does that.")
    if status in ("finished", "stopped", "failed"):
        raise SettingsError(f"Run {run.id} has ended already ({status}); `spineseg learn --runs` lists them.")
    run.stop("keep")
    console.say(f"Run {run.id} will stop after its step and keep its best.")
    console.record({"kind": "stopping", "run": run.id})


def _start(console: Console, settings: LearnSettings, detach: bool) -> int:
    model_to_learn_from(settings.model)
    if settings.name:
        check_new_name(settings.name)
    seen = outlook(settings.corrections)
    if not seen.ready:
        raise SettingsError(f"{settings.corrections}: {seen.sentence}")
    run = LearningRun.start(settings, outlives=detach)
    if detach:
        console.say(f"Run {run.id} goes on by itself; `spineseg learn --follow {run.id}` shows it.")
        console.record({"kind": "started", "run": run.id})
        return DONE
    return _follow(console, run)


def _follow(console: Console, run: LearningRun) -> int:
    """Show a run until it ends; returns the exit status."""
    with terminated_like_interrupted(), console.bar("Learning") as control:
        for event in _until_it_ends(console, run):
            console.record({"run": run.id} | event.model_dump(mode="json"))
            _tell(console, event, control)
            if not console.heard:
                # Whoever followed has left (`| head`); waiting for the end would keep them waiting too.
                os._exit(DONE)
    run.folder.mark_seen()
    if run.error is not None:
        console.note(f"error: {run.error.sentence}")
        if run.error.bug:
            console.note(run.error.bug)
        return BUG if run.error.bug else BAD
    return DONE if run.status in ("finished", "stopped") else BUG


def _until_it_ends(console: Console, run: LearningRun) -> Iterator[Event]:
    """Its events; the first Ctrl-C asks it to stop and keep its best, the second leaves it."""
    asked = False
    while True:
        try:
            yield from run.follow()
            return
        except KeyboardInterrupt:
            if asked:
                console.note(f"Left as it is; `spineseg learn --resume {run.id}` goes on.")
                sys.exit(INTERRUPTED)
            asked = True
            run.stop("keep")
            console.note("Stopping after this step, and keeping the best so far.")


def _tell(console: Console, event: Event, control: Control) -> None:
    """Say an event to a person."""
    if isinstance(event, ProgressEvent):
        control.step(event.stage, event.done, event.total)
    elif isinstance(event, NoteEvent) or (isinstance(event, StateEvent) and event.phase == "queued"):
        console.note(event.sentence)
    elif isinstance(event, PlanEvent):
        _tell_plan(console, event)
    elif isinstance(event, FiguresEvent):
        held, guard = event.held_back.get("mean"), event.guard.get("mean")
        loss = "" if event.loss is None else f", loss {event.loss:.3f}"
        console.note(f"step {event.step}: held back {_number(held)}, guard {_number(guard)}{loss}")
    elif isinstance(event, VerdictEvent):
        console.say(event.reason)
        console.say(_what_now(event))
    elif isinstance(event, StateEvent) and event.phase == "stopped":
        console.say(event.sentence)


def _tell_plan(console: Console, plan: PlanEvent) -> None:
    for scan in plan.scans:
        if scan.role == "refused":
            console.warn(f"{scan.scan}: not learnt from. {scan.sentence}")
    learnt = sum(scan.role in ("learn", "both") for scan in plan.scans)
    console.note(f"Learning from {learnt} scan{'s' if learnt > 1 else ''}, starting from {plan.parent}.")
    console.note(plan.split)
    console.note(plan.replay)


def _what_now(verdict: VerdictEvent) -> str:
    if verdict.in_use:
        return f"{verdict.key} is used now; `spineseg models rollback` goes back."
    if verdict.promoted:
        return f"It was kept as {verdict.key}; `spineseg models use {verdict.key}` puts it into use."
    return (
        f"It was kept as {verdict.key} and is not used; `spineseg models use {verdict.key}` overrules that."
    )


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _list(console: Console) -> None:
    alive = {run.id for run in living_runs()} | {run.id for run in interrupted_runs()}
    for run in list_runs():
        verdict = run.verdict
        console.record({"run": run.id, "status": run.status, "model": verdict.key if verdict else None})
        mark = "*" if run.id in alive else " "
        console.line(f"{mark} {run.id}  {run.status:12} {verdict.key if verdict else ''}")
