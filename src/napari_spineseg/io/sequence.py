"""Which kind of MR sequence a scan looks like: T1, T2, STIR or unknown.

From what the header says, then from what people write in names. Grey values alone do not tell
T1 from T2 reliably across scanners, so without either the answer is "unknown".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from napari_spineseg.scan import Sequence

_WORDS: tuple[tuple[Sequence, str], ...] = (
    ("STIR", r"stir|tirm|t2[ _-]?(fs|fatsat)|inv(ersion)?[ _-]?rec"),
    ("T2", r"t2(w|[ _-]?space)?|space|haste|ciss|fiesta|t2(tse|fse)"),
    ("T1", r"t1(w|ce|c|gd|tse|fse|se)?|vibe|mprage"),
)


def guess_sequence(header: Mapping[str, Any], name: str = "") -> Sequence:
    """The likely sequence.

    Parameters
    ----------
    header
        Facts of the file. Times in ms under `EchoTime`, `RepetitionTime` and `InversionTime`;
        words under `SeriesDescription`, `ProtocolName`, `descrip`; what our own writer left
        under `spineseg`.
    name
        The scan's name, for instance "12_t2_SPACE".

    Examples
    --------
    >>> guess_sequence({"EchoTime": 100, "RepetitionTime": 3500}), guess_sequence({}, "4_t1")
    ('T2', 'T1')
    """
    said = (header.get("spineseg") or {}).get("sequence")
    if said in ("T1", "T2", "STIR"):
        return said
    by_times = _from_times(*(_number(header.get(k)) for k in ("EchoTime", "RepetitionTime", "InversionTime")))
    if by_times != "unknown":
        return by_times
    for key in ("SeriesDescription", "ProtocolName", "SequenceName", "descrip", "Comment"):
        if (guess := _from_words(str(header.get(key, "")))) != "unknown":
            return guess
    return _from_words(name)


def _from_times(echo: float, repetition: float, inversion: float) -> Sequence:
    """By the textbook: STIR nulls fat (TI 100 to 300 ms), T1 has short TE and TR, T2 long TE."""
    if 100 <= inversion <= 300 and repetition >= 1500:
        return "STIR"
    if echo >= 60:
        return "T2"
    if 0 < echo <= 30 and 0 < repetition <= 1200:
        return "T1"
    # T1 FLAIR: long TR, fluid nulled.
    if 0 < echo <= 30 and 500 <= inversion <= 1300:
        return "T1"
    return "unknown"


def _from_words(text: str) -> Sequence:
    for sequence, pattern in _WORDS:
        if re.search(rf"(?<![a-z0-9])({pattern})(?![a-z0-9])", text.lower()):
            return sequence
    return "unknown"


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return 0.0
