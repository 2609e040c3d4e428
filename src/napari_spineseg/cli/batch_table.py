"""`batch.csv`: one row a scan, in the order of the call, whole at any moment."""

from __future__ import annotations

import csv
import io
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from napari_spineseg.cli.manifest import Entry
from napari_spineseg.cli.outputs import Outputs
from napari_spineseg.cli.run import Outcome
from napari_spineseg.errors import OutputError, SettingsError
from napari_spineseg.files import write_whole

COLUMNS = ("scan", "name", "status", "result", "summary", "warnings", "error", "seconds", "model")
# Writing a table of thousands after each scan would take longer than the scans.
_EVERY_S = 5.0
_WORDS = {
    "done": "done",
    "skipped": "done before",
    "failed": "failed",
    "bug": "stopped by a bug",
    "": "to do",
}


class BatchTable:
    """What became of every scan of a batch.

    Parameters
    ----------
    path
        The CSV file.
    scans
        Each scan with its files.

    Raises
    ------
    SettingsError
        If the list has a column that this table has itself.
    """

    def __init__(self, path: Path, scans: Sequence[tuple[Entry, Outputs]]) -> None:
        self.path = path
        self._carried = list(dict.fromkeys(name for entry, _ in scans for name in entry.columns))
        if taken := next((name for name in self._carried if name in COLUMNS), None):
            raise SettingsError(f"The list has a column {taken!r}, which {path.name} has too; rename it.")
        self._rows = {job.main: self._row(entry, job) for entry, job in scans}
        self._written = 0.0

    def enter(self, job: Outputs, outcome: Outcome) -> None:
        """Note what became of a scan. The file follows within seconds."""
        self._rows[job.main] |= _cells(job, outcome)
        if time.monotonic() - self._written > _EVERY_S:
            self.write()

    def counts(self) -> dict[str, int]:
        """Scans of each status; those that were not come to have none."""
        return dict(Counter(row["status"] or "to do" for row in self._rows.values()))

    def in_words(self) -> str:
        """For a person: "3 scans: 2 done, 1 failed"."""
        counts = Counter(row["status"] for row in self._rows.values())
        parts = [f"{counts[status]} {words}" for status, words in _WORDS.items() if counts[status]]
        return f"{len(self._rows)} scan{'s' * (len(self._rows) != 1)}: {', '.join(parts)}"

    def write(self) -> None:
        """Put the table on disk.

        Raises
        ------
        OutputError
            If the disk refuses.
        """
        text = io.StringIO()
        writer = csv.DictWriter(text, [*COLUMNS, *self._carried], lineterminator="\n")
        writer.writeheader()
        writer.writerows(self._rows.values())
        try:
            # A file's name may hold bytes that no text can.
            write_whole(self.path, text.getvalue().encode("utf-8", "backslashreplace"))
        except OSError as error:
            raise OutputError(f"{self.path} cannot be written: {error.strerror or error}.") from None
        self._written = time.monotonic()

    def _row(self, entry: Entry, job: Outputs) -> dict[str, Any]:
        return {name: "" for name in COLUMNS} | {"scan": entry.scan, "name": job.stem} | entry.columns


def _cells(job: Outputs, outcome: Outcome) -> Mapping[str, Any]:
    if outcome.status in ("failed", "bug"):
        words = outcome.said if outcome.status == "failed" else outcome.said.strip().splitlines()[-1]
        return {"status": outcome.status, "error": " ".join(words.split())}
    record = outcome.record
    model = record["model"]
    return {
        "status": outcome.status,
        "result": job.main.name,
        "summary": record.get("summary", ""),
        "warnings": " ".join(record.get("warnings", ())),
        "seconds": round(record.get("seconds", {}).get("total", 0.0), 1),
        "model": f"{model['name']}@{model['version']}",
    }
