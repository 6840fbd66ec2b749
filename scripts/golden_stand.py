"""The second program of the golden chain: coin stands behind its points, a fan joins it with a voucher, and it ends soon."""

from dataclasses import replace

from ledger.domains.accounts.transfer import ToPool, Transfer
from ledger.domains.loyalty.adjust import Adjust
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.join_vouchers import JoinVoucher, ShownVoucher, prove_voucher, sign_voucher
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.program_sunset import ProgramSunset
from ledger.domains.loyalty.referral_bonus import NO_BONUS
from ledger.domains.loyalty.state import SCOPE_ENROL, RollingExpiry, Terms
from ledger.hashing import object_id
from ledger.keys import public_key_of
from ledger.transaction import Sponsored, Transaction
from ledger.types import Address, Amount, Points, PrivateSeed, ProgramId, Timestamp
from tests.support.memory_chain import DAY_SECONDS, Scenario, Signer

OWNER, TILL, FAN = Signer.named("friend"), Signer.named("till"), Signer.named("newcomer")
VOUCHER_SEED = PrivateSeed(bytes(range(224, 256)))


def open_stand(scenario: Scenario, terms: Terms) -> tuple[ProgramId, list[Transaction]]:
    """The program, its till, and a fan without a coin who joins with a voucher."""
    sign = scenario.sign
    own = replace(
        terms,
        burn=Amount(0),
        collateral=Amount(2_500),
        expiry=RollingExpiry(365),
        issuance_cap=Points(100_000),
        notice_days=0,
        wind_down_days=30,
        referral=NO_BONUS,
    )
    create = sign("program.create", ProgramCreate("Stand", "point", 0, 0, own), author=OWNER)
    program = ProgramId(object_id("program", create.txid, 0))
    until = Timestamp(scenario.time + 20 * DAY_SECONDS)
    voucher = JoinVoucher(1, program, public_key_of(VOUCHER_SEED), until)
    shown = ShownVoucher(
        key=voucher.key,
        valid_until=until,
        till=TILL.key,
        signature=sign_voucher(voucher, scenario.chain_id, TILL.seeds[0]),
        proof=prove_voucher(voucher, scenario.chain_id, FAN.address, VOUCHER_SEED),
    )
    join = MemberJoin(program, Address(b""), voucher=(shown,))
    return program, [
        create,
        sign("transfer", Transfer(ToPool(program), Amount(200_000)), author=OWNER),
        sign("issuer.grant", IssuerGrant(program, TILL.address, SCOPE_ENROL, Points(0)), author=OWNER),
        sign("member.join", join, author=FAN, payment=Sponsored(program)),
    ]


def end_stand(scenario: Scenario, program: ProgramId) -> list[Transaction]:
    """Points behind which two and a half coins stand, and the announcement that it ends in a second."""
    end = ProgramSunset(program, Timestamp(scenario.time + 1))
    return [
        scenario.sign("adjust", Adjust(program, FAN.address, Points(999), "opening"), author=OWNER),
        scenario.sign("program.sunset", end, author=OWNER),
    ]
