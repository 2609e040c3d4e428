"""Whether corrections that are wrong get past the audit or the gate, on real scans with the bundled model.

    python -m benchmarks.learning_poison PREPARED --work DIR [--exam SCAN LABELS]

Twenty poisoned corrections, each alone in a corrections store: labels moved, mirrored, swapped, empty, of
another patient, of levels out of order. `learning.run.session` is asked to learn from each, as `spineseg
learn` does. PREPARED holds `val` as `spineseg dataset prepare` makes it; SCAN and LABELS are an exam with
numbered levels, for those cases that need them. Beside each poison the same scan with its true labels is
looked at by the audit: refusing everything would be easy. Writes learning_poison.md beside this file.
"""

from __future__ import annotations

import argparse
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.learning_kinds import thinned
from benchmarks.learning_runs import reader_of
from napari_spineseg.corrections.store import CorrectionsStore
from napari_spineseg.datasets.prepared import PreparedVolume, load_prepared
from napari_spineseg.errors import SpineSegError
from napari_spineseg.io import read_scan, read_segmentation
from napari_spineseg.learning.run.folder import RunFolder
from napari_spineseg.learning.run.session import Session
from napari_spineseg.learning.settings import LearnSettings
from napari_spineseg.models import get_model
from napari_spineseg.scan import Scan, Segmentation

PAGE = Path(__file__).with_suffix(".md")


@dataclass(frozen=True)
class Case:
    """A scan and labels that do not belong to it, or None in place of `wrong` where they do."""

    name: str
    scan: Scan
    labels: Segmentation
    seen: Segmentation | None = None


def moved(down_mm: float, back_mm: float, right: int = 0) -> Callable[[PreparedVolume], np.ndarray]:
    """Labels moved in the plane by mm, to the side by slices."""

    def poison(volume: PreparedVolume) -> np.ndarray:
        rows, columns = round(down_mm / volume.spacing_mm), round(back_mm / volume.spacing_mm)
        return np.roll(volume.structures, (right, rows, columns), (0, 1, 2))

    return poison


def swapped(*table: int) -> Callable[[PreparedVolume], np.ndarray]:
    """Structures exchanged: table[old] is the new one."""
    return lambda volume: np.array(table, np.uint8)[volume.structures]


POISONS: dict[str, Callable[[PreparedVolume], np.ndarray]] = {
    "6 mm too low": moved(6, 0),
    "10 mm too high": moved(-10, 0),
    "15 mm too low": moved(15, 0),
    "6 mm too far back": moved(0, 6),
    "8 mm too far front": moved(0, -8),
    "15 mm and 10 mm off": moved(15, 10),
    "5 mm low and 5 mm back": moved(5, 5),
    "two slices to the side": moved(0, 0, 2),
    "upside down": lambda v: v.structures[:, ::-1],
    "back to front": lambda v: v.structures[:, :, ::-1],
    "vertebra and disc swapped": swapped(0, 2, 1, 3),
    "disc and canal swapped": swapped(0, 1, 3, 2),
    "vertebra and canal swapped": swapped(0, 3, 2, 1),
    "empty": swapped(0, 0, 0, 0),
    "all but one slice erased": lambda v: v.structures * (np.arange(len(v.structures)) == 3)[:, None, None],
}
LEVELS = {
    "L5 and L4 swapped": {1: 2, 2: 1},
    "L4 and L1 swapped": {2: 5, 5: 2},
    "two discs swapped": {202: 204, 204: 202},
}


def main() -> None:
    """Try every case, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--exam", type=Path, nargs=2, metavar=("SCAN", "LABELS"))
    words = parser.parse_args()
    words.work.mkdir(parents=True, exist_ok=True)
    volumes = [thinned(v) for v in load_prepared(words.prepared / "val")]
    poisoned, true = cases(volumes, words.exam)
    rows, caught = [], 0
    for case in poisoned:
        promoted, why = tried(case, words.work)
        caught += not promoted
        rows.append(f"| {case.name} | {case.scan.name} | {'PROMOTED' if promoted else 'no'} | {why} |")
        print(rows[-1], flush=True)
    refused = [why for case in true if (why := audit(case, words.work))]
    write(rows, caught, len(true), refused)


def cases(volumes: list[PreparedVolume], exam: list[Path] | None) -> tuple[list[Case], list[Case]]:
    """Twenty poisoned corrections (seventeen without an exam), and the scans with their true labels."""
    reader = reader_of(get_model("lumbar").weights)
    seen = {v.name: reader.all_classes(v, range(len(v.values))) for v in volumes}
    made = {v.name: np.ascontiguousarray(v.structures) for v in volumes}
    found = []
    for number, (name, poison) in enumerate(POISONS.items()):
        volume = volumes[number % len(volumes)]
        found.append(case_of(name, volume, poison(volume), seen[volume.name]))
    for first, second in ((0, 1), (2, 3)):
        other = fitted(made[volumes[second].name], volumes[first].structures.shape)
        found.append(case_of("of another patient", volumes[first], other, seen[volumes[first].name]))
    true = [case_of("true", v, v.structures, seen[v.name]) for v in volumes]
    if exam:
        scan, labels = read_scan(exam[0]), read_segmentation(exam[1])
        for name, table in LEVELS.items():
            wrong = labels.labels.copy()
            for old, new in table.items():
                wrong[labels.labels == old] = new
            found.append(Case(name, scan, Segmentation(wrong, labels.affine, name=name)))
        true.append(Case("true", scan, labels))
    return found, true


def case_of(name: str, volume: PreparedVolume, labels: np.ndarray, seen: np.ndarray) -> Case:
    """A case of a prepared volume."""
    affine = volume.affine
    made = (
        Segmentation(np.ascontiguousarray(a).astype(np.uint16), affine, name=name, scheme="structures")
        for a in (labels, seen)
    )
    return Case(name, Scan(volume.values, affine, name=f"{volume.patient}_{volume.name}"), *made)


def fitted(other: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Labels of another scan, cut or filled up to `shape`."""
    out = np.zeros(shape, np.uint8)
    n, h, w = np.minimum(shape, other.shape)
    out[:n, :h, :w] = other[:n, :h, :w]
    return out


def tried(case: Case, work: Path) -> tuple[bool, str]:
    """Learn from a case alone: whether it was promoted, and in which words it was not."""
    settings = filled(case, work)
    try:
        verdict = Session(RunFolder.create(settings), lambda event: None, lambda: "").run()
    except SpineSegError as error:
        return False, f"audit: {error}"
    return verdict.promoted, f"gate: {verdict.reason}"


def audit(case: Case, work: Path) -> str:
    """What the audit has against a case; "" if nothing. The training that would follow is left at once."""
    from napari_spineseg.learning.run.orders import Left

    settings = filled(case, work)
    said = []
    try:
        # To leave is obeyed at the first step after the corrections were read.
        Session(RunFolder.create(settings), said.append, lambda: "leave" if said[1:] else "").run()
    except Left:
        return ""
    except SpineSegError as error:
        return f"{case.scan.name}: {error}"
    return ""


def filled(case: Case, work: Path) -> LearnSettings:
    """Settings to learn from a store that holds this case alone, in a home of its own."""
    home = work / "home"
    shutil.rmtree(home, ignore_errors=True)
    os.environ["SPINESEG_HOME"] = str(home)
    store = CorrectionsStore(home / "corrections", create=True)
    store.add_correction(case.scan, case.labels, case.seen)
    store.find(case.scan).say("done")
    return LearnSettings(corrections=store.path, model="lumbar", device="cpu")


def write(rows: list[str], caught: int, true: int, refused: list[str]) -> None:
    """The page."""
    model = get_model("lumbar")
    objections = "".join(f"\n- {line}" for line in refused)
    PAGE.write_text(
        PAGE_TEXT.format(
            model=model.sha256[:12],
            caught=caught,
            count=len(rows),
            rows="\n".join(rows),
            admitted=true - len(refused),
            true=true,
            objections=objections,
        )
    )
    print(f"{caught} of {len(rows)} not promoted; {true - len(refused)} of {true} true ones admitted")


PAGE_TEXT = """# Corrections that are wrong

Each alone in a store, on real scans that training has not seen (SPIDER; T2 SPACE thinned to 3.6 mm, and a
thick-slice T2 exam), learnt from as `spineseg learn` does. Made by `learning_poison.py`; bundled model
{model}.

**{caught} of {count} poisoned ones were not promoted; {admitted} of {true} true ones passed the audit.**
{objections}

| what was wrong | scan | promoted | in words |
| --- | --- | --- | --- |
{rows}
"""


if __name__ == "__main__":
    main()
