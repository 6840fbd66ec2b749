"""Challenges at work: which receipts count, who has reached what, and what is sent to complete, contest and take back.

brand  find_reached          from its tills' receipts, who has reached which occurrence, in the order in which they did
       completion_of         the entry that says so
       reversal_of           where one of these receipts went back
fan    progress_of           how far its own receipts lead, and what is missing; needs no node
       contest_of_challenge  what it shows where nobody completed it

What a contest opens is public for ever; `describe_shown` says it before it is sent.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from api.wallet.errors import Unreachable, WalletError
from ledger.address import encode_address
from ledger.domains.challenges.challenge_complete import CompletionEntry
from ledger.domains.challenges.challenge_contest import CODES_FIELD, OPENED, ChallengeContest, ShownReceipt
from ledger.domains.challenges.challenge_reverse import ChallengeReverse
from ledger.domains.challenges.goals import Basket, evidence_leaves, evidence_of, is_reached, missing_codes, progress
from ledger.domains.challenges.state import Codes, Goal, Spend, Visits
from ledger.domains.loyalty.receipts import SignedReceipt, blind_fields, receipt_hash
from ledger.domains.loyalty.returns import SignedReturn
from ledger.errors import Code, show_moment
from ledger.merkle import inclusion_path
from ledger.params import CHALLENGE_AGAIN_SECONDS, CHALLENGE_RECEIPTS_MAX, CONTEST_SECONDS
from ledger.policy import address_of_key
from ledger.types import Address, ChallengeId, Points, ProgramId, ReceiptHash, Timestamp

DAY_SECONDS = 86_400

BAD_CHALLENGE = Code(
    "client.bad_challenge",
    "the node shows a challenge that this wallet can't read: {reason}",
    "Update fansumer, or ask another node.",
)
NOT_COMPLETED_WITH = Code(
    "challenge.no_completion",
    "no completion that stands is known to rest on the receipt {receipt}",
    "Name the folder where `brand challenge complete` put the evidence by --evidence; else there is nothing to take back.",
)
NOT_REACHED = Code(
    "challenge.not_reached_yet",
    "your receipts do not reach the goal of occurrence {occurrence}: {done} of {wanted}",
    "`fansumer wallet challenges` shows what is missing, and which receipts count.",
)


@dataclass(frozen=True, slots=True)
class ShownChallenge:
    """A challenge as a node shows it. Occurrence k begins `days` days after the one before it; times in seconds."""

    id: ChallengeId
    program: ProgramId
    name: str
    goal: Goal
    basket_min_cents: int
    begins_at: Timestamp
    days: int
    occurrences: int
    times_max: int
    grace_days: int
    reward: Points
    left: Points
    has_ended: bool

    def begins(self, number: int) -> Timestamp:
        """The first second of an occurrence; of `occurrences`, the first one after all of them."""
        return Timestamp(self.begins_at + number * self.days * DAY_SECONDS)

    def due_by(self, number: int) -> Timestamp:
        """Until when the shop completes an occurrence in time; from then on it can be contested."""
        return Timestamp(self.begins(number + 1) + self.grace_days * DAY_SECONDS)

    def contest_until(self, number: int, *, taken_back: bool = False) -> Timestamp:
        """Until when an occurrence can be completed and contested; one that was taken back can be contested for a week more."""
        return Timestamp(self.due_by(number) + CONTEST_SECONDS + (CHALLENGE_AGAIN_SECONDS if taken_back else 0))

    def occurrence_at(self, time: Timestamp) -> int | None:
        """The occurrence that holds a time, or None."""
        number = (time - self.begins_at) // (self.days * DAY_SECONDS)
        return number if 0 <= number < self.occurrences else None

    def shown_at(self, time: Timestamp) -> int:
        """The occurrence of a time; before all of them the first, after them the last."""
        return min(max((time - self.begins_at) // (self.days * DAY_SECONDS), 0), self.occurrences - 1)

    def counts(self, signed: SignedReceipt) -> bool:
        """Whether a receipt counts in some occurrence: of this program, in its days, and with a basket that is enough."""
        receipt = signed.receipt
        return (
            receipt.program == self.program
            and self.occurrence_at(receipt.time) is not None
            and _basket_of(signed).eligible_cents >= self.basket_min_cents
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the receipts of one member lead in one occurrence: `done` of `wanted` visits, cents or codes.

    `chosen` are receipts that reach the goal, as few as are needed, in the order of their evidence; none where it is not reached.
    """

    member: Address
    occurrence: int
    counted: int
    done: int
    wanted: int
    missing: tuple[str, ...]
    chosen: tuple[SignedReceipt, ...]

    @property
    def reached_at(self) -> Timestamp:
        """When the last of the chosen receipts was signed."""
        return max(signed.receipt.time for signed in self.chosen)


def read_challenge_answer(answer: Mapping[str, Any]) -> ShownChallenge:
    """A challenge from an answer of the API. Raises Unreachable client.bad_challenge."""
    try:
        return ShownChallenge(
            id=ChallengeId(bytes.fromhex(answer["id"])),
            program=ProgramId(bytes.fromhex(answer["program"])),
            name=str(answer["name"]),
            goal=_read_goal(answer["goal"]),
            basket_min_cents=int(answer["basket_min_cents"]),
            begins_at=Timestamp(int(answer["begins_at"])),
            days=int(answer["days"]),
            occurrences=int(answer["occurrences"]),
            times_max=int(answer["times_max"]),
            grace_days=int(answer["grace_days"]),
            reward=Points(int(answer["reward"])),
            left=Points(int(answer["left"])),
            has_ended=answer["has_ended"] is True,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise Unreachable.of_code(BAD_CHALLENGE, reason=f"{type(fault).__name__} {fault}") from None


def _read_goal(shown: Mapping[str, Any]) -> Goal:
    kind = shown["type"]
    if kind == "visits":
        return Visits(int(shown["count"]))
    if kind == "spend":
        return Spend(int(shown["cents"]))
    if kind == "codes":
        return Codes(tuple(str(code) for code in shown["codes"]))
    raise ValueError(f"the goal {kind} is unknown")


def describe_goal(goal: Goal, basket_min_cents: int) -> str:
    """A goal in words."""
    least = f"each of at least {show_cents(basket_min_cents)}"
    if isinstance(goal, Visits):
        return f"{goal.count} {'visit' if goal.count == 1 else 'visits'}, {least}"
    if isinstance(goal, Spend):
        return f"{show_cents(goal.cents)} on receipts, {least}"
    return f"something of {', '.join(goal.codes)}, on receipts {least}"


def show_cents(cents: int) -> str:
    """An amount as people write it: 12.50."""
    return f"{'-' if cents < 0 else ''}{abs(cents) // 100}.{abs(cents) % 100:02}"


# --- who has reached what -----------------------------------------------------------------------------------------------------


def progress_of(
    challenge: ShownChallenge, receipts: Iterable[SignedReceipt], returned: frozenset[tuple[Address, int, ReceiptHash]]
) -> list[Progress]:
    """How far each member came in each occurrence in which it has a receipt that counts, by occurrence and member.

    `returned` are receipts that went back, by member and occurrence: they count no more. The same receipt counts once.
    """
    groups: dict[tuple[int, Address], dict[ReceiptHash, SignedReceipt]] = {}
    for signed in receipts:
        number, member, found = challenge.occurrence_at(signed.receipt.time), signed.receipt.member, hash_of(signed)
        if number is not None and challenge.counts(signed) and (member, number, found) not in returned:
            groups.setdefault((number, member), {})[found] = signed
    return [
        _progress(challenge.goal, member, number, list(group.values()))
        for (number, member), group in sorted(groups.items())
    ]


def progress_of_nothing(goal: Goal, number: int) -> Progress:
    """How far no receipts lead."""
    return _progress(goal, Address(b""), number, [])


def find_reached(
    challenge: ShownChallenge,
    receipts: Iterable[SignedReceipt],
    completed: frozenset[tuple[Address, int]],
    returned: frozenset[tuple[Address, int, ReceiptHash]],
) -> list[Progress]:
    """What was reached and is not completed, in the order in which it was reached, and no more for a member than it may have."""
    reached = [found for found in progress_of(challenge, receipts, returned) if found.chosen]
    times: dict[Address, int] = {}
    for member, _ in completed:
        times[member] = times.get(member, 0) + 1
    found: list[Progress] = []
    for item in sorted(reached, key=lambda item: (item.reached_at, item.member, item.occurrence)):
        if (item.member, item.occurrence) in completed or times.get(item.member, 0) >= challenge.times_max:
            continue
        times[item.member] = times.get(item.member, 0) + 1
        found.append(item)
    return found


def _progress(goal: Goal, member: Address, number: int, receipts: Sequence[SignedReceipt]) -> Progress:
    baskets = [_basket_of(signed) for signed in receipts]
    done, wanted = progress(goal, baskets)
    missing = missing_codes(goal, baskets) if isinstance(goal, Codes) else ()
    return Progress(member, number, len(receipts), done, wanted, missing, _choose(goal, receipts))


def _choose(goal: Goal, receipts: Sequence[SignedReceipt]) -> tuple[SignedReceipt, ...]:
    """As few receipts as reach the goal, in the order of an evidence; none where all of them do not."""
    if not is_reached(goal, [_basket_of(signed) for signed in receipts]):
        return ()
    by_time = sorted(receipts, key=lambda signed: (signed.receipt.time, hash_of(signed)))
    if isinstance(goal, Codes):
        first = [next(one for one in by_time if code in _basket_of(one).bought_codes()) for code in goal.codes]
        chosen = list({hash_of(signed): signed for signed in first}.values())
    elif isinstance(goal, Spend):
        largest = sorted(by_time, key=lambda signed: -_basket_of(signed).eligible_cents)
        count = next(
            count
            for count in range(1, CHALLENGE_RECEIPTS_MAX + 1)
            if is_reached(goal, [_basket_of(signed) for signed in largest[:count]])
        )
        chosen = largest[:count]
    else:
        chosen = by_time[: goal.count]
    return tuple(sorted(chosen, key=place_of))


def place_of(signed: SignedReceipt) -> tuple[bytes, int]:
    """Where a receipt stands in an evidence: by till and number."""
    return signed.receipt.till, signed.receipt.sequence


def hash_of(signed: SignedReceipt) -> ReceiptHash:
    """A receipt's hash."""
    return receipt_hash(signed.receipt, signed.salt)


def _basket_of(signed: SignedReceipt) -> Basket:
    receipt = signed.receipt
    return Basket(receipt.net_cents, receipt.paid_with_points_cents, receipt.codes)


# --- what is sent -------------------------------------------------------------------------------------------------------------


def completion_of(challenge: ShownChallenge, reached: Progress) -> CompletionEntry:
    """The entry that says that a member has reached the goal."""
    evidence = evidence_of(hash_of(signed) for signed in reached.chosen)
    return CompletionEntry(reached.member, challenge.id, reached.occurrence, evidence, len(reached.chosen))


def contest_of_challenge(challenge: ShownChallenge, number: int, receipts: Sequence[SignedReceipt]) -> ChallengeContest:
    """What a fan sends: its receipts, opened as far as the goal reads them."""
    with_codes = isinstance(challenge.goal, Codes)
    shown = [
        ShownReceipt(
            till=signed.receipt.till,
            sequence=signed.receipt.sequence,
            time=signed.receipt.time,
            net_cents=signed.receipt.net_cents,
            paid_with_points_cents=signed.receipt.paid_with_points_cents,
            codes=signed.receipt.codes if with_codes else (),
            blinding=blind_fields(signed, (*OPENED, CODES_FIELD) if with_codes else OPENED),
            signature=signed.signature,
        )
        for signed in sorted(receipts, key=place_of)
    ]
    return ChallengeContest(challenge.program, challenge.id, number, tuple(shown))


def describe_shown(challenge: ShownChallenge, receipts: Sequence[SignedReceipt], prefix: str) -> str:
    """In words, what everybody will read for ever. `prefix` is that of the network's addresses."""
    rows: list[str] = []
    for signed in receipts:
        receipt = signed.receipt
        till = encode_address(prefix, address_of_key(receipt.till))
        text = (
            f"{show_moment(receipt.time)} at the till {till}, number {receipt.sequence}, {show_cents(receipt.net_cents)}, "
            f"{show_cents(receipt.paid_with_points_cents)} of it with points"
        )
        if isinstance(challenge.goal, Codes):
            codes = ", ".join(f"{code} {show_cents(cents)}" for code, cents in receipt.codes)
            text += f", by category: {codes}"
        rows.append(f"  {text}")
    return (
        "A contest makes public for ever that your account for this program made these purchases, not their lines:\n"
        + "\n".join(rows)
    )


def reversal_of(
    challenge: ChallengeId, number: int, evidence: Sequence[ReceiptHash], signed: SignedReturn
) -> ChallengeReverse:
    """What a brand sends to take a reward back. Raises WalletError challenge.no_completion."""
    if signed.returned.receipt not in evidence:
        raise WalletError(NOT_COMPLETED_WITH, receipt=signed.returned.receipt.hex()[:16])
    index = list(evidence).index(signed.returned.receipt)
    path = inclusion_path(evidence_leaves(evidence), index)
    return ChallengeReverse(challenge, number, index, path, signed.returned, signed.signature, signed.consent)
