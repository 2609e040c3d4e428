"""What an audit finds, and the report that it makes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

Weight = Literal["error", "warning", "note"]
"""error: wrong; warning: probably wrong; note: worth knowing."""


@dataclass(frozen=True)
class Finding:
    """One thing about one case.

    Attributes
    ----------
    case
        Name of the case.
    check
        Which check found it: "stray labels", "islands", …
    sentence
        For a person.
    place
        (slice, row, column) of the sagittal view, to jump to; None where it is nowhere in particular.
    labels
        The numbers concerned.
    repairable
        Whether `repair` can put it right without judgement.
    """

    case: str
    check: str
    weight: Weight
    sentence: str
    place: tuple[int, int, int] | None = None
    labels: tuple[int, ...] = ()
    repairable: bool = False


@dataclass(frozen=True)
class AuditReport:
    """Everything found in a folder.

    Attributes
    ----------
    cases
        Every case looked at: name, patient, split, files, and the labels that are there.
    findings
        In the order of the cases, the heaviest first within a case.
    """

    cases: tuple[Mapping[str, Any], ...]
    findings: tuple[Finding, ...] = field(default=())

    def of(self, case: str) -> list[Finding]:
        """What was found in one case."""
        return [f for f in self.findings if f.case == case]

    def counts(self) -> dict[str, int]:
        """How many findings each check has, most first."""
        return dict(Counter(f.check for f in self.findings).most_common())

    def as_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            "cases": [dict(case) for case in self.cases],
            "findings": [asdict(finding) for finding in self.findings],
            "counts": self.counts(),
        }
