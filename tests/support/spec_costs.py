"""What the spec's prose says that a kind of transaction costs: `Cost: records 3, slots 2, due 1.` under the heading of its rule."""

import re
from pathlib import Path
from typing import Any

from ledger.kinds import Cost, Kind

SPEC = Path(__file__).resolve().parents[2] / "ledger" / "spec"
HEADING = re.compile(r"^## (?P<anchor>[A-Z]+-\d+) (?P<title>.*)$", re.MULTILINE)
COST = re.compile(r"\bCost:\s+(?P<parts>[a-z]+ \d+(?:,\s+[a-z]+ \d+)*)")


def cost_in_spec(kind: Kind[Any]) -> Cost:
    """The cost that stands under the kind's anchor; of kinds that share a heading, in the order of their names."""
    for page in SPEC.glob("*.md"):
        text = page.read_text(encoding="utf-8")
        headings = list(HEADING.finditer(text))
        for place, heading in enumerate(headings):
            if heading["anchor"] == kind.anchor:
                end = headings[place + 1].start() if place + 1 < len(headings) else len(text)
                names = re.findall(r"[a-z]+\.[a-z_]+|^[a-z]+", heading["title"])
                stated = [match["parts"] for match in COST.finditer(text, heading.end(), end)]
                parts = (part.split() for part in stated[names.index(kind.name)].split(","))
                return Cost(**{name: int(number) for name, number in parts})
    raise AssertionError(f"no page has the heading {kind.anchor}")
