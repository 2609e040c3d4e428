"""How sure a tumour model is of a finding, and how often it is right: fits `finding_odds` of its card.

Paintings of the held-out patients, with outlines as in training and seeds that no table uses, half of them
without a tumour. What the model marks in them is a tumour or is not; a logistic curve over the log odds of
each finding's surest tenth of voxels says how likely the next one is (Platt, 1999).

    python -m benchmarks.tumours_confidence PREPARED [--model NAME | --weights FILE] [--cases 80]
        [--first-seed 50] [--write]

Prints what a least confidence costs and brings, and the odds; `--write` puts them into the card.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from napari_spineseg.anatomy import Numbering
from napari_spineseg.core.checkpoint import LoadedModel, load_model, save_model
from napari_spineseg.learning.chen2024.measure import FOUND, held_out, look_at
from napari_spineseg.learning.tumour.cases import LOOKS, Case, painted
from napari_spineseg.models import get_model
from napari_spineseg.synthesis.lesions import TRAINING_FORMS
from napari_spineseg.tumours.findings import Finding, FindSettings, calibrated, log_odds
from napari_spineseg.tumours.scan import findings_in

_EVERYTHING = FindSettings(least_confidence=0)
_LEAST = (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass(frozen=True)
class Marked:
    """A finding: its surest tenth (no odds applied), the tumours it covers, and whether it touches any."""

    surest: float
    hits: frozenset[int]
    true: bool


@dataclass(frozen=True)
class Read:
    """One painting: how many tumours it has, and what was marked."""

    tumours: int
    marked: tuple[Marked, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("prepared", type=Path)
    parser.add_argument("--model", default="tumour")
    parser.add_argument("--weights", type=Path, help="a weights file instead of a model by name")
    parser.add_argument("--cases", type=int, default=80)
    parser.add_argument("--first-seed", type=int, default=50)
    parser.add_argument("--write", action="store_true", help="put the odds into the card beside the weights")
    words = parser.parse_args()
    weights = words.weights or get_model(words.model).weights
    model = load_model(weights)
    reads = [read(case, model) for case in drawn(words.prepared, words.cases, words.first_seed)]
    odds = fit([m for r in reads for m in r.marked])
    print("\n".join(table(reads, odds)))
    print(f"finding_odds: [{odds[0]:.3f}, {odds[1]:.3f}]")
    if words.write:
        save_model(model.network, model.card.model_copy(update={"finding_odds": odds}), weights)


def drawn(prepared: Path, count: int, seed: int) -> list[Case]:
    """Paintings of every held-out volume in every look, with and without tumours, in a random order."""
    volumes = held_out(prepared)
    each = [(v, look, tumours) for tumours in (True, False) for v in volumes for look in LOOKS[v.kind]]
    rng = np.random.default_rng(0)
    order = [each[i] for _ in range(-(-count // len(each))) for i in rng.permutation(len(each))]
    return [painted(v, look, seed + n, TRAINING_FORMS, t) for n, (v, look, t) in enumerate(order[:count])]


def read(case: Case, model: LoadedModel) -> Read:
    """What the model marks in a painting."""
    structures, uncertainty = look_at(case, model)
    grid = case.scan.grid
    labels, findings = findings_in(structures, uncertainty, case.levels, grid, Numbering(), _EVERYTHING)
    marked = tuple(_marked(finding, labels == finding.label, case.tumours) for finding in findings)
    return Read(int(case.tumours.max()), marked)


def _marked(finding: Finding, inside: np.ndarray, tumours: np.ndarray) -> Marked:
    touched = {int(t) for t in np.unique(tumours[inside]) if t}
    whole = {t: int((tumours == t).sum()) for t in touched}
    hits = frozenset(t for t in touched if (inside & (tumours == t)).sum() >= FOUND * whole[t])
    return Marked(finding.confidence, hits, bool(touched))


def fit(marked: list[Marked]) -> tuple[float, float]:
    """Slope and offset with the least log loss, Platt's targets for few examples."""
    odds = np.array([log_odds(m.surest) for m in marked])
    true = np.array([m.true for m in marked])
    target = np.where(true, (true.sum() + 1) / (true.sum() + 2), 1 / ((~true).sum() + 2))

    def loss(line: np.ndarray) -> float:
        z = line[0] * odds + line[1]
        return float(np.mean(np.logaddexp(0, z) - target * z))

    slope, offset = minimize(loss, np.array([1.0, -3.0]), method="Nelder-Mead").x
    return round(float(slope), 4), round(float(offset), 4)


def table(reads: list[Read], odds: tuple[float, float]) -> list[str]:
    """Found tumours and false findings by least confidence."""
    with_tumours, without = [r for r in reads if r.tumours], [r for r in reads if not r.tumours]
    tumours = sum(r.tumours for r in with_tumours)
    lines = [
        f"{len(with_tumours)} scans with {tumours} tumours, {len(without)} without",
        "",
        "| least confidence | found | false a scan | false a scan without tumours | of those kept, true |",
        "| --- | --- | --- | --- | --- |",
    ]
    for least in _LEAST:
        kept = [
            [m for m in r.marked if calibrated(m.surest, odds) >= least] for r in (*with_tumours, *without)
        ]
        ours, others = kept[: len(with_tumours)], kept[len(with_tumours) :]
        found = sum(len(frozenset().union(*(m.hits for m in scan))) for scan in ours)
        false, elsewhere = (sum(not m.true for scan in scans for m in scan) for scans in (ours, others))
        everything = sum(len(scan) for scan in kept)
        lines.append(
            f"| {least} | {found / max(tumours, 1):.2f} | {false / max(len(ours), 1):.2f} | "
            f"{elsewhere / max(len(others), 1):.2f} | {1 - (false + elsewhere) / max(everything, 1):.2f} |"
        )
    return lines


if __name__ == "__main__":
    main()
