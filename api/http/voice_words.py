"""A proposal's result in words that somebody understands who never counted votes, and a program's promises."""

from collections.abc import Sequence
from typing import Any, Final

from api.words import counted, show_time
from ledger.domains.voice.state import (
    AGE_NAMES,
    DECLINED,
    ENDED,
    LAPSED,
    RANKED,
    SEALED,
    SILENT,
    VOTING,
    Obligation,
    Proposal,
    Tally,
)
from ledger.domains.voice.tally import leaders_of

PER_MILLE: Final = 1_000


def effective_voters(tally: Tally) -> int:
    """The effective number of voters in hundredths: power^2 / squares, rounded down."""
    squares = int.from_bytes(tally.squares, "big")
    return 100 * tally.power**2 // squares if squares else 0


def show_tally(proposal: Proposal, tally: Tally) -> dict[str, Any]:
    """The figures of a tally, and a sentence or two about them."""
    leaders = leaders_of(proposal, tally)
    size = len(proposal.options)
    matrix = [list(tally.counts[row * size : (row + 1) * size]) for row in range(size)]
    return {
        "counted": tally.counted,
        "committed": tally.committed,
        "abstained": max(tally.committed - tally.counted, 0),
        "power": tally.power,
        "quorum": proposal.quorum,
        "quorum_met": tally.counted >= proposal.quorum,
        "options": [
            {"number": number, "text": text, "power": None if proposal.method == RANKED else tally.counts[number]}
            for number, text in enumerate(proposal.options)
        ],
        "pairwise": matrix if proposal.method == RANKED else None,
        "leaders": list(leaders),
        "winner": leaders[0] if leaders else None,
        "concentration": {
            "largest": tally.largest,
            "largest_share_per_mille": PER_MILLE * tally.largest // tally.power if tally.power else 0,
            "squares": tally.squares.hex(),
            "effective_voters_hundredths": effective_voters(tally),
        },
        "ages": [
            {"membership": name, "voters": voters, "power": power}
            for name, (voters, power) in zip(AGE_NAMES, tally.ages, strict=True)
        ],
        "in_words": words_of_tally(proposal, tally, leaders),
    }


def words_of_tally(proposal: Proposal, tally: Tally, leaders: Sequence[int]) -> str:
    """The result in a few sentences."""
    if proposal.mode == SEALED and proposal.status == VOTING:
        return f"{_voters(tally.committed)} voted under seal; what they chose nobody can read before voting is over."
    if not leaders:
        return "Nobody's ballot is counted."
    named = " and ".join(f'"{proposal.options[number]}"' for number in leaders)
    if len(leaders) == 1:
        sentences = [f"{named} leads" if proposal.status < ENDED else f"{named} won"]
    else:
        first = proposal.options[leaders[0]]
        sentences = [f'{named} are equal; the one that was named first, "{first}", counts as the winner']
    sentences.append(f"{_voters(tally.counted)} of {proposal.electorate} who might vote are counted")
    missing = proposal.quorum - tally.counted
    sentences.append(
        f"the quorum of {proposal.quorum} is met" if missing <= 0 else f"{missing} are missing for the quorum"
    )
    share = PER_MILLE * tally.largest // tally.power
    sentences.append(f"the largest ballot holds {share // 10}.{share % 10} % of the power")
    abstained = max(tally.committed - tally.counted, 0)
    if proposal.mode == SEALED and abstained:
        sentences.append(f"{abstained} stayed sealed and {'abstain' if proposal.status < ENDED else 'abstained'}")
    return "; ".join(sentences) + "."


def _voters(count: int) -> str:
    return "1 voter" if count == 1 else f"{count} voters"


def words_of_answer(proposal: Proposal, tally: Tally, obligation: Obligation | None, days_late: int) -> str:
    """What the owner made of it."""
    if proposal.status < ENDED:
        return "It is not counted yet."
    if proposal.status == ENDED:
        owed = "owes an answer" if tally.counted >= proposal.quorum else "may answer, but owes none"
        return f"The owner {owed} until {show_time(proposal.answer_by)}."
    if proposal.status == SILENT:
        return f"The owner stayed silent: no answer came by {show_time(proposal.answer_by)}."
    if proposal.status == LAPSED:
        return "The quorum was missed and no answer was given; none was owed."
    if proposal.status == DECLINED:
        return f"Declined on {show_time(proposal.answered_at)}."
    assert obligation is not None, "what is adopted is an obligation"
    due, late = show_time(obligation.due_at), counted(days_late, "day")
    done = show_time(obligation.fulfilled_at) if obligation.fulfilled_at else ""
    return {
        0: f"Adopted, due by {due}; not yet fulfilled.",
        1: f"Adopted and kept: fulfilled on {done}, due by {due}.",
        2: f"Adopted and late: fulfilled on {done}, {late} after {due}.",
        3: f"Adopted and broken: due by {due}"
        + (f", fulfilled on {done}, {late} late." if done else ", and not fulfilled."),
    }[obligation.status]
