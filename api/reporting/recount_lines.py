"""A recount as a mapping for programs, and as lines for people."""

from collections.abc import Iterator
from typing import Any

from api.words import counted
from ledger.domains.voice.state import AGE_NAMES, METHOD_NAMES, RANKED
from node.recount import Recount, figures_of


def map_recount(found: Recount, *, source: str, is_compared: bool) -> dict[str, Any]:
    """What came out, and what is wrong."""
    count, terms = found.count, found.payload
    size = len(terms.options)
    matrix = [list(count.counts[row * size : (row + 1) * size]) for row in range(size)]
    leaders = count.leaders()
    figures = figures_of(found)
    return {
        "good": found.is_good,
        "source": source,
        "compared": is_compared,
        "proposal": found.proposal_id.hex(),
        "title": terms.title,
        "method": METHOD_NAMES[terms.method],
        "blocks": found.blocks,
        "tip": found.tip[::-1].hex(),
        "counted": count.counted,
        "committed": found.committed,
        "abstained": max(found.committed - count.counted, 0),
        "power": count.power,
        "largest": count.largest,
        "squares": figures["squares"],
        "quorum": terms.quorum,
        "quorum_met": count.counted >= terms.quorum,
        "options": [
            {"number": number, "text": text, "power": None if terms.method == RANKED else count.counts[number]}
            for number, text in enumerate(terms.options)
        ],
        "pairwise": matrix if terms.method == RANKED else None,
        "leaders": list(leaders),
        "winner": terms.options[leaders[0]] if leaders else None,
        "ages": [
            {"membership": name, "voters": voters, "power": power}
            for name, (voters, power) in zip(AGE_NAMES, count.by_age, strict=True)
        ],
        "findings": [{"code": one.code, "text": one.text, "height": one.height} for one in found.problems],
    }


def recount_lines(shown: dict[str, Any]) -> Iterator[str]:
    """For a terminal."""
    yield f"{shown['title']} ({shown['method']}), recounted from {counted(shown['blocks'], 'block')} of {shown['source']}"
    for option in shown["options"]:
        power = "" if option["power"] is None else f": {option['power']}"
        yield f"  {option['number']} {option['text']}{power}"
    for row in shown["pairwise"] or ():
        yield "  " + " ".join(f"{cell:>6}" for cell in row)
    met = "met" if shown["quorum_met"] else "missed"
    yield f"{counted(shown['counted'], 'ballot')} with a power of {shown['power']}, the largest {shown['largest']}"
    yield f"{shown['abstained']} abstained; the quorum of {shown['quorum']} is {met}"
    yield f"winner: {shown['winner'] or 'none'}"
    if shown["good"]:
        yield "GOOD: every ballot's power leads to the snapshot, and every block to its work"
        yield (
            "it is the result that the source shows"
            if shown["compared"]
            else "the source shows no result to compare it with"
        )
    for finding in shown["findings"]:
        yield f"{finding['code']}: {finding['text']}"
    if not shown["good"]:
        yield f"BAD: {counted(len(shown['findings']), 'finding')}"
    yield f"resting on the block {shown['tip']}: compare it with a source that you trust"
