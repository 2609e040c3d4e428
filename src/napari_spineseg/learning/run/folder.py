"""A run on disk: what it is to do, what it said, what it was told, and whether anybody works on it.

<home>/learning/<id>/
    job.json         settings, and when it was asked for
    events.jsonl     what the worker said, a line each; the last line may be cut short by a crash
    commands.jsonl   what it was told: {"command": "stop keep"}
    worker.lock      held by the living worker; the system lets go of it however a process ends
    prepared/        volumes made from the corrections   } gone when
    train/           state of the training               } the run has ended
    preview-*.npz    pictures of held-back slices
    seen             there once somebody was shown how it ended
    candidate.*      the trained model, before it is in the registry
<home>/learning/device-cpu.lock   held by the run that trains there; others queue for it
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from napari_spineseg.corrections.files import append_line, read_json, read_lines
from napari_spineseg.errors import StoreError
from napari_spineseg.io.write import put
from napari_spineseg.learning.run.events import FINAL, Event, StateEvent, read_event
from napari_spineseg.learning.settings import LearnSettings
from napari_spineseg.models.registry import home

_JOB, _EVENTS, _COMMANDS, _SEEN = "job.json", "events.jsonl", "commands.jsonl", "seen"


def runs_folder() -> Path:
    """Where runs are."""
    return home() / "learning"


def device_lock(device: str) -> FileLock:
    """What the run that uses a device holds."""
    runs_folder().mkdir(parents=True, exist_ok=True)
    return FileLock(runs_folder() / f"device-{device}.lock", thread_local=False)


class RunFolder:
    """The folder of one run."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(cls, settings: LearnSettings) -> RunFolder:
        """A new run's folder, with its job in it.

        Raises
        ------
        StoreError
            If the disk refuses.
        """
        created = datetime.now(UTC)
        path = runs_folder() / f"{created:%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        job = {"created": created.isoformat(timespec="seconds"), "settings": settings.model_dump(mode="json")}
        try:
            path.mkdir(parents=True)
            put(path / _JOB, (json.dumps(job, indent=1) + "\n").encode())
        except OSError as error:
            raise StoreError(f"{path}: cannot be made ({error.strerror or error}).") from error
        return cls(path)

    @property
    def id(self) -> str:
        """The run's name; ids sort by the time they were asked for."""
        return self.path.name

    @property
    def settings(self) -> LearnSettings:
        """What it is to do.

        Raises
        ------
        StoreError
            If the job cannot be read.
        """
        try:
            return LearnSettings.model_validate(read_json(self.path / _JOB).get("settings"))
        except ValidationError as error:
            raise StoreError(f"{self.path / _JOB} is not a learning job.") from error

    @property
    def job_file(self) -> Path:
        """What the worker is started with."""
        return self.path / _JOB

    def say(self, event: Event) -> None:
        """Keep an event."""
        append_line(json.loads(event.line()), self.path / _EVENTS)

    def events(self, start: int = 0) -> tuple[list[Event], int]:
        """Whole lines from byte `start` on, and where to go on reading."""
        path = self.path / _EVENTS
        if not path.exists():
            return [], start
        with path.open("rb") as file:
            file.seek(start)
            text = file.read()
        whole = text.rfind(b"\n") + 1
        found = [read_event(line) for line in text[:whole].splitlines() if line.strip()]
        return [event for event in found if event is not None], start + whole

    @property
    def state(self) -> StateEvent | None:
        """The last state it told of."""
        states = [e for e in self.events()[0] if isinstance(e, StateEvent)]
        return states[-1] if states else None

    @property
    def ended(self) -> bool:
        """Whether it finished, was stopped or failed: nothing more will come."""
        state = self.state
        return state is not None and state.phase in FINAL

    @property
    def seen(self) -> bool:
        """Whether somebody was shown how it ended."""
        return (self.path / _SEEN).exists()

    def mark_seen(self) -> None:
        """Somebody was shown how it ended. Where the disk refuses they are shown again."""
        with suppress(OSError):
            (self.path / _SEEN).touch()

    def command(self, words: str) -> None:
        """Tell the worker something."""
        append_line({"command": words}, self.path / _COMMANDS)

    def commands(self) -> list[str]:
        """Everything it was told."""
        return [str(line.get("command", "")) for line in read_lines(self.path / _COMMANDS)]

    def forget_commands(self) -> None:
        """What was said to a worker that is gone must not stop the next one."""
        (self.path / _COMMANDS).unlink(missing_ok=True)

    def lock(self) -> FileLock:
        """Held by the worker as long as it lives."""
        return FileLock(self.path / "worker.lock", thread_local=False)

    @property
    def has_worker(self) -> bool:
        """Whether a living process works on it."""
        lock = self.lock()
        try:
            lock.acquire(timeout=0)
        except Timeout:
            return True
        lock.release()
        return False

    def tidy(self) -> None:
        """Remove what only a resume would need; it holds patients' images."""
        for part in ("prepared", "train"):
            shutil.rmtree(self.path / part, ignore_errors=True)


def all_runs() -> Iterator[RunFolder]:
    """Every run there is, latest first."""
    folder = runs_folder()
    if folder.is_dir():
        for path in sorted(folder.iterdir(), reverse=True):
            if (path / _JOB).is_file():
                yield RunFolder(path)
