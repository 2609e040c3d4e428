"""Write the scorer's figures into a model's card: card_figures.py CARD SCORE_JSON EXTERNAL_LOOKS.

SCORE_JSON is what `score.py --json` printed; EXTERNAL_LOOKS says how often the external test sets
were looked at before these weights were chosen.
"""

import json
import sys
from pathlib import Path


def main(card_path: str, score_path: str, looks: str) -> None:
    """Add accuracy and looks to the card, in place."""
    card = json.loads(Path(card_path).read_text(encoding="utf-8"))
    score = json.loads(Path(score_path).read_text(encoding="utf-8"))
    card["figures"]["scored"] = {
        name: {
            "scans": len(found["cases"]),
            "mean": {key: round(value, 4) for key, value in found["mean"].items()},
            "worst": {key: round(value, 4) for key, value in found["worst"].items()},
        }
        for name, found in score.items()
    }
    card["figures"]["times_the_external_sets_were_looked_at"] = int(looks)
    Path(card_path).write_text(json.dumps(card, indent=1, allow_nan=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
