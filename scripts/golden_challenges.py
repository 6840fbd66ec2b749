"""The challenges of the golden chain: one of each goal; completed, skipped, taken back, contested."""

from golden_receipts import FAN, OWNER, TILL, sign_purchase, sign_return
from ledger.domains.challenges.challenge_complete import ChallengeComplete, CompletionEntry
from ledger.domains.challenges.challenge_contest import CODES_FIELD, OPENED, ChallengeContest, ShownReceipt
from ledger.domains.challenges.challenge_create import ChallengeCreate
from ledger.domains.challenges.challenge_reverse import ChallengeReverse
from ledger.domains.challenges.goals import evidence_leaves, evidence_of
from ledger.domains.challenges.state import Codes, Goal, Spend, Visits
from ledger.domains.loyalty.receipts import SignedReceipt, blind_fields, receipt_hash
from ledger.merkle import inclusion_path
from ledger.transaction import Prepaid, Sponsored, Transaction
from ledger.types import Address, ChallengeId, Day, Hash, Points, ProgramId, ReceiptHash
from tests.support.memory_chain import GENESIS_DAY, Scenario

FIRST_DAY = Day(GENESIS_DAY - 1)
NUMBERS = (21, 22, 23)
"""Numbers of the receipts with which goals are reached."""
NOBODY = Address(bytes(31) + b"\x08")


def create_challenges(scenario: Scenario, program: ProgramId) -> list[Transaction]:
    """Three visits, something of two categories, and an amount that nobody reaches."""

    def create(name: str, goal: Goal, *, basket: int, occurrences: int, budget: int) -> Transaction:
        payload = ChallengeCreate(
            program=program,
            name=name,
            goal=goal,
            basket_min_cents=basket,
            from_day=FIRST_DAY,
            days=2,
            occurrences=occurrences,
            times_max=occurrences,
            grace_days=1,
            reward=Points(40),
            budget=Points(budget),
        )
        return scenario.sign("challenge.create", payload, author=OWNER)

    return [
        create("Three visits", Visits(3), basket=500, occurrences=1, budget=80),
        create("Br\u00f6tchen und Milch", Codes(("bakery", "dairy")), basket=1, occurrences=2, budget=400),
        create("A hundred", Spend(10_000), basket=625, occurrences=10, budget=2**28),
    ]


def _receipts(scenario: Scenario, program: ProgramId) -> list[SignedReceipt]:
    return [sign_purchase(scenario, program, sequence=number, points=500) for number in NUMBERS]


def _hashes(scenario: Scenario, program: ProgramId) -> list[ReceiptHash]:
    return [receipt_hash(signed.receipt, signed.salt) for signed in _receipts(scenario, program)]


def complete_challenges(scenario: Scenario, program: ProgramId, challenges: list[Hash]) -> Transaction:
    """The fan's three visits; an account that is no member; and an occurrence that has not begun."""
    evidence, which = evidence_of(_hashes(scenario, program)), [ChallengeId(found) for found in challenges]
    entries = (
        CompletionEntry(FAN.address, which[0], 0, evidence, 3),
        CompletionEntry(NOBODY, which[0], 0, evidence, 3),
        CompletionEntry(FAN.address, which[1], 1, evidence, 3),
    )
    payload = ChallengeComplete(program, entries)
    return scenario.sign("challenge.complete", payload, author=TILL, payment=Sponsored(program))


def reverse_challenge(scenario: Scenario, program: ProgramId, challenge: Hash) -> Transaction:
    """The second of the visits was returned."""
    hashes = _hashes(scenario, program)
    path = inclusion_path(evidence_leaves(hashes), 1)
    shown = sign_return(scenario, program, FAN, hashes[1], points=500)
    payload = ChallengeReverse(ChallengeId(challenge), 0, 1, path, *shown)
    return scenario.sign("challenge.reverse", payload, author=TILL)


def contest_challenge(scenario: Scenario, program: ProgramId, challenge: ChallengeId) -> Transaction:
    """Two receipts show what nobody completed: one opens its codes, the other one would not need to."""
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
        for signed, with_codes in zip(_receipts(scenario, program)[:2], (True, False), strict=True)
    ]
    payload = ChallengeContest(program, challenge, 0, tuple(shown))
    return scenario.sign("challenge.contest", payload, author=FAN, payment=Prepaid())
