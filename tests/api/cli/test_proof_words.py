"""Plain words for what a proof shows: units, times, texts that others wrote, and records that nobody here can read."""

from dataclasses import replace
from typing import Any

import pytest

from api.cli.proof_words import (
    clean,
    day_text,
    describe_report,
    effort_text,
    points_text,
    tell_report,
)
from api.words import show_time
from ledger.domains.accounts.state import (
    Account,
    Guardians,
    Guardianship,
    Recovery,
    account_key,
    guardianship_key,
)
from ledger.domains.consent.state import Consent, consent_key
from ledger.domains.loyalty.state import NEVER, Lot, Member, Program, member_key, program_key
from ledger.genesis import make_genesis
from ledger.networks import NETWORKS
from ledger.proofs import ProofReport, ShownRecord, ShownTransaction, check_proof, measure_proof, read_proof
from ledger.types import Address, Amount, Day, Hash, Height, ProgramId, RecordKey, Timestamp
from tests.ledger.test_proof_bytes import PROOFS
from tests.support.shop import FAN, FRIEND

PROGRAM = Program(Address(bytes(32)), b"", Amount(0), "Shop\x1b[31m", "pt", 2, 0, ((1, 0),))
PROOF = read_proof(PROOFS["account"])
REPORT = check_proof(PROOF)
SIZES = measure_proof(PROOF)


def tell(*shown: ShownRecord | ShownTransaction, **changes: Any) -> str:
    report: ProofReport = replace(REPORT, shown=shown, **changes)
    return "\n".join(tell_report(report, SIZES, chain_is_known=False))


def test_amounts_have_their_unit_and_decimals() -> None:
    assert points_text(123_456, PROGRAM) == "1,234.56 pt"
    assert points_text(5, replace(PROGRAM, decimals=0)) == "5 pt"
    assert "not in the proof" in points_text(5, None)


def test_texts_of_others_do_not_act_on_the_terminal() -> None:
    assert clean("a\x1b[31m\u202eb\n") == "a\ufffd[31m\ufffdb\ufffd"
    told = tell(ShownRecord(program_key(ProgramId(bytes(32))), "Program", PROGRAM))
    assert "\x1b" not in told and "Shop\ufffd[31m" in told


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.5, "less than a second"),
        (10, "about 10 s"),
        (600, "about 10 min"),
        (10_000, "about 3 h"),
        (10 * 86_400, "about 10 days"),
        (365 * 86_400 * 3_000, "about 3,000 years"),
    ],
)
def test_work_in_time_of_a_core(seconds: float, text: str) -> None:
    assert effort_text(int(seconds * 30_000_000)) == text


def test_days_and_times_that_no_calendar_holds() -> None:
    assert (day_text(NEVER), day_text(0), day_text(2**30)) == ("never", "1970-01-01", f"day {2**30}")
    assert show_time(0) == "1970-01-01T00:00:00Z"
    assert show_time(2**40) in ("second 1099511627776", "36812-02-20T00:36:16Z")


def test_a_record_that_can_not_be_read_is_said_to_be() -> None:
    assert "can not read" in tell(ShownRecord(RecordKey(b"\xffabc"), None, None))
    report = replace(REPORT, shown=(ShownRecord(RecordKey(b"\xffabc"), None, None),))
    shows = describe_report(report, SIZES, chain_is_known=True)["shows"]
    assert shows == [{"table": None, "key": "ff616263", "record": None}]


def test_a_transaction_that_can_not_be_read_is_said_to_be() -> None:
    (found, *_) = check_proof(read_proof(PROOFS["transaction"])).shown
    assert isinstance(found, ShownTransaction)
    told = tell(replace(found, raw=b"\x92\xc4\x00\x90", results=("", "earn.no_member", "earn.no_member")))
    assert "a transaction that this version can not read" in told
    assert "1 of 3 entries applied, skipped with earn.no_member" in told
    assert "result        coin.insufficient" in tell(replace(found, results=("coin.insufficient",)))
    report = replace(REPORT, shown=(replace(found, raw=b"\x90"),))
    (shows,) = describe_report(report, SIZES, chain_is_known=False)["shows"]
    assert (shows["kind"], shows["payload"]) == (None, None)


def test_other_tables_are_shown_field_by_field() -> None:
    consent = Consent(b"", Amount(5), Amount(0), Timestamp(7), Timestamp(0), Timestamp(9))
    told = tell(ShownRecord(consent_key(FAN.address, bytes(32), 0, ""), "Consent", consent))
    assert "revoked_at    9" in told


def test_a_member_lot_by_lot() -> None:
    lots: tuple[Lot, ...] = tuple((1, day, 30_000 + day, 5) for day in range(14))
    member = Member(
        b"", Amount(0), Amount(0), Timestamp(0), Timestamp(9), Hash(b""), 1, Day(0), Amount(0), lots, Timestamp(0), 0
    )
    told = tell(ShownRecord(member_key(ProgramId(bytes(32)), FAN.address), "Member", member))
    assert "left          1970-01-01T00:00:09Z" in told
    assert "lots          2 more" in told


def test_accounts_of_a_known_network_have_their_text() -> None:
    chain_id = make_genesis(NETWORKS["dev"]).chain_id
    account = Account(Amount(7), Hash(bytes(32)), Amount(0))
    told = tell(ShownRecord(account_key(FAN.address), "Account", account), chain_id=chain_id)
    assert "account dfan1" in told
    assert "keys          changed" in told


def test_guardians_and_what_they_said() -> None:
    guardians = Guardians(1, (FRIEND.address,), 1)
    recovery = Recovery(Hash(bytes(32)), Timestamp(1), Timestamp(2), Height(7), Timestamp(9), Height(8))
    words = ((0, Hash(bytes(32)), Timestamp(5)),)
    record = Guardianship(b"", Amount(0), Amount(0), guardians, words, 2, Timestamp(86_400), (recovery,))
    told = tell(ShownRecord(guardianship_key(FAN.address), "Guardianship", record))
    assert "needed        1 of 1, and 1 day of waiting" in told
    assert f"said          {FRIEND.address.hex()}" in told
    assert "in force      from the later of 1970-01-01T00:00:02Z and block 7" in told
    assert "lapses        unless the account signs before the later of 1970-01-01T00:00:09Z and block 8" in told
    assert "cool-down     until 1970-01-02T00:00:00Z, after 2 that failed" in told
    quiet = replace(
        record, guardians=replace(guardians, delay_days=3), approvals=(), not_before=Timestamp(0), recovery=()
    )
    told = tell(ShownRecord(guardianship_key(FAN.address), "Guardianship", quiet))
    assert "3 days" in told and "cool-down" not in told
    account = Account(Amount(7), Hash(b""), Amount(0), True)
    assert "guardians     " in tell(ShownRecord(account_key(FAN.address), "Account", account))


def test_what_is_taken_for_granted_depends_on_what_is_trusted() -> None:
    (anchor, below) = (check_proof(PROOF, trust=known) for known in (PROOF.rests_on, PROOF.trusted.hash))
    assert "and nothing else" in "\n".join(tell_report(anchor, SIZES, chain_is_known=False))
    assert "on top of the block 0 that you trust" in "\n".join(tell_report(below, SIZES, chain_is_known=False))
    proof = read_proof(PROOFS["transaction"])
    home = check_proof(proof).shown[0]
    assert isinstance(home, ShownTransaction)
    told = "\n".join(tell_report(check_proof(proof, trust=home.block_hash), SIZES, chain_is_known=False))
    assert "the transaction stands in it" in told
