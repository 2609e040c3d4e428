"""Which files a scan's results go to, and how they get there whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from napari_spineseg.cli.console import show
from napari_spineseg.errors import OutputError
from napari_spineseg.io import stem_of
from napari_spineseg.strict_json import strict


@dataclass(frozen=True)
class Kind:
    """What a command makes, and what that is called.

    Attributes
    ----------
    name
        Ends the names of its main file and its record: `<stem>_<name>.nii.gz`, `<stem>_<name>.json`.
    ending
        Of the main file.
    beside
        Ends the name of a third file that a call may ask for.
    of
        What it is made from, in words.
    cut
        An ending of that one's stem that is left out.
    """

    name: str = "seg"
    ending: str = ".nii.gz"
    beside: str = "uncertainty.nii.gz"
    of: str = "scan"
    cut: str = ""


SEGMENTED, PREPROCESSED, BACK = Kind(), Kind("prep"), Kind("back")
MEASURED = Kind("measures", ".csv", "report.html", of="segmentation", cut="_seg")


@dataclass(frozen=True)
class Outputs:
    """The files that `scan` becomes.

    Attributes
    ----------
    remarks
        What was said of the scan before anything was done, and belongs into its record.
    """

    scan: Path
    folder: Path
    stem: str
    kind: Kind = SEGMENTED
    remarks: tuple[str, ...] = ()

    def warnings(self, *found: str) -> list[str]:
        """The warnings of the record: what was said before, then what was `found`, each once."""
        return list(dict.fromkeys((*self.remarks, *found)))

    @property
    def main(self) -> Path:
        """What the command makes of the scan."""
        return self.folder / f"{self.stem}_{self.kind.name}{self.kind.ending}"

    @property
    def segmentation(self) -> Path:
        """Labels on the scan's grid."""
        return self.main

    @property
    def record(self) -> Path:
        """How they were made."""
        return self.folder / f"{self.stem}_{self.kind.name}.json"

    @property
    def beside(self) -> Path:
        """What a call may ask for besides: of a segmentation, how sure the model was."""
        return self.folder / f"{self.stem}_{self.kind.beside}"

    def existing(self, *more: Path) -> Path | None:
        """The first file, of the two main ones and `more`, that is there by name (a dangling link is too)."""
        return next((p for p in (self.main, self.record, *more) if os.path.lexists(p)), None)

    def made_from_another(self, picked: Mapping[str, Any] | None = None) -> str | None:
        """What the record there was made from, in words, if that is not this scan.

        Parameters
        ----------
        picked
            Which volume or series of the scan is asked for now, as the record has it.
        """
        try:
            there = json.loads(self.record.read_text(encoding="utf-8"))["input"]
            if (path := str(there["path"])) != strict(self.scan.absolute()):
                return f"another {self.kind.of}, {path}"
            others = [(k, there[k]) for k, v in (picked or {}).items() if there.get(k, v) != v]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return next((f"another {name} of it, {value}" for name, value in others), None)

    @contextmanager
    def being_written(self) -> Iterator[Outputs]:
        """Yield the same files in a folder beside their place; they move there when all is well.

        Raises
        ------
        OutputError
            If the folder cannot be written to. Nothing is left behind then, nor after an interrupt.
        """
        try:
            aside = Path(tempfile.mkdtemp(prefix=".spineseg-", dir=self.folder))
        except OSError as error:
            raise _cannot_write(self.folder, error) from None
        try:
            staged = replace(self, folder=aside)
            yield staged
            for name in ("beside", "main", "record"):
                if getattr(staged, name).exists():
                    os.replace(getattr(staged, name), getattr(self, name))
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)


def plan(
    scans: Sequence[Path], folder: Path, kind: Kind = SEGMENTED, others: Sequence[Path] = ()
) -> tuple[list[Outputs], list[str]]:
    """Give every scan of a call files of its own, whatever the scans are called.

    Scans whose stem nobody else has keep it; of several with one stem the first keeps it and the
    others are numbered, in the order they were given, past any name that is taken. Names that
    differ in case only count as the same, because some file systems think so.

    Parameters
    ----------
    kind
        What is made.
    others
        Files of the call besides `scans`, which results must not replace either.

    Returns
    -------
    outputs, remarks
        One `Outputs` for each different scan, in order, and what a person should be told.
    """
    unique: dict[str, Path] = {}
    remarks = []
    for scan in scans:
        place = os.path.realpath(scan)
        if place in unique:
            remarks.append(f"{show(scan)} is named twice in this call; it is done once.")
        unique.setdefault(place, scan)
    stems = {place: _stem(scan, kind.cut) for place, scan in unique.items()}
    taken = {stem.casefold() for stem in stems.values()}
    given: set[str] = set()
    outputs = []
    for place, scan in unique.items():
        stem, said = stems[place], ()
        if stem.casefold() in given:
            stem = _free(stem, taken)
            said = (f"another {kind.of} of this call has this name too; results go to {stem}_{kind.name}.",)
            remarks.append(f"{show(scan)}: {said[0]}")
        given.add(stem.casefold())
        taken.add(stem.casefold())
        outputs.append(Outputs(scan, folder, stem, kind, said))
    check_inputs_are_safe(outputs, {*unique, *map(os.path.realpath, others)})
    return outputs, remarks


def make_folder(folder: Path) -> None:
    """Make `folder` if need be, and see that it can be written to.

    Raises
    ------
    OutputError
        If it cannot, in words.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (FileExistsError, NotADirectoryError):
        raise OutputError(f"{show(folder)} is not a folder; name one with --output.") from None
    except OSError as error:
        raise _cannot_write(folder, error) from None


@contextmanager
def folder_for(output: Path) -> Iterator[None]:
    """Make the folder for results; where nothing comes of the call, none is left that was not there.

    Raises
    ------
    OutputError
        If it cannot be made or written to.
    """
    new = [folder for folder in (output, *output.parents) if not os.path.lexists(folder)]
    try:
        make_folder(output)
        yield
    finally:
        for folder in new:
            with suppress(OSError):  # it holds something, or was never made
                folder.rmdir()


def write_json(content: Mapping[str, Any], path: Path) -> None:
    """Write strict JSON: no NaN, no infinity."""
    path.write_text(json.dumps(strict(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")


def _stem(scan: Path, cut: str) -> str:
    # "." and ".." have no name of their own until they are followed.
    stem = stem_of(scan if scan.name not in ("", "..") else Path(os.path.realpath(scan))) or "scan"
    return stem.removesuffix(cut) or stem


def _free(stem: str, taken: set[str]) -> str:
    number = 2
    while f"{stem}_{number}".casefold() in taken:
        number += 1
    return f"{stem}_{number}"


def check_inputs_are_safe(outputs: Sequence[Outputs], inputs: set[str]) -> None:
    """Refuse a call whose results would take the place of one of its scans, or of another file it reads."""
    scans = {os.path.realpath(output.scan) for output in outputs}
    for output in outputs:
        for path in (output.main, output.record, output.beside):
            if (place := os.path.realpath(path)) in inputs:
                what = output.kind.of if place in scans else "file"
                raise OutputError(
                    f"{show(path)} is a {what} of this call and would be a result of it too; "
                    "choose another folder with --output."
                )


def _cannot_write(folder: Path, error: OSError) -> OutputError:
    return OutputError(f"{show(folder)}: results cannot be written there: {error.strerror or error}.")
