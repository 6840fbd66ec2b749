"""Missions and contributions: a slip that the brand signs, a record that the fan signs, and what came of it."""

from dataclasses import replace

import pytest

from ledger.coin import POOL_INSUFFICIENT
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.program_sunset import NOT_OWNER, PROGRAM_ENDED, ProgramSunset
from ledger.domains.loyalty.state import NO_PROGRAM, SCOPE_RECORD, SCOPE_TILL
from ledger.domains.voice.contribution_credit import (
    CREDITED,
    NO_PRODUCT,
    CampaignProduct,
    ContributionCredit,
    ContributionCredited,
    RewardProduct,
)
from ledger.domains.voice.contribution_record import (
    CONTRIBUTION_RECORD,
    FULL,
    FUTURE,
    NOT_AN_ISSUER,
    NOT_YOURS,
    OTHER_MISSION,
    OVER,
    RECORDED,
    ContributionRecord,
    ContributionRecorded,
)
from ledger.domains.voice.contributions import (
    IDEA,
    NO_CONTRIBUTION,
    NO_MISSION,
    SLIP_BYTES_MAX,
    TESTING,
    Contribution,
    ContributionSlip,
    Mission,
    contribution_id_of,
    contribution_key,
    decode_slip,
    encode_slip,
    mission_key,
    sign_slip,
    slip_is_signed,
)
from ledger.domains.voice.mission_create import UNTIL_PASSED, MissionCreate, MissionCreated
from ledger.errors import Malformed
from ledger.hashing import object_id
from ledger.kinds import Cost
from ledger.transaction import BAD_ATTESTATION
from ledger.types import CampaignId, ContributionId, Hash, MissionId, ProgramId, RewardId, Timestamp
from tests.support.memory_chain import DAY_SECONDS, Signer
from tests.support.refusal import refused
from tests.support.shop import FAN, FRIEND, NOWHERE, OWNER, STRANGER, TILL, Shop, some_hash

NO_MISSION_NAMED = MissionId(b"")


def ask(shop: Shop, *, places: int = 0, days: int = 10, author: Signer = OWNER, **options: object) -> MissionId:
    payload = MissionCreate(
        shop.program, "Translate the label", some_hash("text"), Timestamp(shop.now + days * DAY_SECONDS), places
    )
    shop.chain.send("mission.create", payload, author=author, **options)
    return MissionId(object_id("mission", shop.chain.last_txid, 0))


def slip_for(shop: Shop, fan: Signer = FAN, **changes: object) -> ContributionSlip:
    slip = ContributionSlip(
        version=1,
        program=shop.program,
        fan=fan.address,
        mission=NO_MISSION_NAMED,
        role=TESTING,
        work=some_hash("work"),
        issuer=TILL.key,
        time=shop.now,
        salt=bytes(32),
    )
    return replace(slip, **changes)


def record(
    shop: Shop, slip: ContributionSlip, *, author: Signer = FAN, issuer: Signer = TILL, **options: object
) -> None:
    signed = sign_slip(slip, shop.chain.chain_id, issuer.seeds[0])
    payload = ContributionRecord(signed.slip, signed.signature)
    shop.chain.send("contribution.record", payload, author=author, **options)


def contribution(shop: Shop, slip: ContributionSlip) -> Contribution:
    return shop.chain.record(contribution_key(contribution_id_of(slip)))


def test_a_mission_is_on_record(shop: Shop) -> None:
    mission = ask(shop, places=3)
    until = Timestamp(shop.now - 60 + 10 * DAY_SECONDS)
    assert shop.chain.events == (
        MissionCreated(mission, shop.program, "Translate the label", some_hash("text"), until, 3, OWNER.address),
    )
    assert shop.chain.events[0].subjects() == (mission, shop.program)
    found: Mission = shop.chain.record(mission_key(mission))
    assert (found.program, found.title, found.text, found.until, found.places, found.taken) == (
        shop.program,
        "Translate the label",
        some_hash("text"),
        until,
        3,
        0,
    )
    assert found.deposit == shop.chain.params.record_deposit


def test_who_may_ask_and_until_when(shop: Shop) -> None:
    with refused(NO_PROGRAM):
        payload = MissionCreate(ProgramId(NOWHERE), "x", some_hash(), Timestamp(shop.now + 1), 0)
        shop.chain.send("mission.create", payload, author=OWNER)
    with refused(NOT_OWNER):
        ask(shop, author=TILL)
    with refused(UNTIL_PASSED, until=shop.now, time=shop.now):
        ask(shop, days=0)
    payload = MissionCreate(shop.program, "x", some_hash(), Timestamp(shop.now + 1), 0)
    shop.chain.send("mission.create", payload, author=OWNER)
    poor = Shop(pool=1_000)
    with refused(POOL_INSUFFICIENT):
        ask(poor, payment=poor.sponsored)


def test_a_program_that_ended_asks_for_nothing(shop: Shop) -> None:
    end = Timestamp(shop.now + 11 * DAY_SECONDS)
    shop.chain.send("program.sunset", ProgramSunset(shop.program, end), author=OWNER)
    shop.chain.block(time=end)
    ask(shop)
    shop.chain.block(time=end + 61)
    with refused(PROGRAM_ENDED):
        ask(shop)


def test_both_sign_and_it_stands_there(shop: Shop) -> None:
    mission = ask(shop, places=1)
    slip = slip_for(shop, mission=mission, role=IDEA)
    now = shop.now
    record(shop, slip)
    found = contribution(shop, slip)
    assert shop.chain.events == (
        ContributionRecorded(
            contribution_id_of(slip), shop.program, FAN.address, mission, IDEA, some_hash("work"), now
        ),
    )
    assert shop.chain.events[0].subjects() == (FAN.address, shop.program, contribution_id_of(slip), mission)
    assert (found.fan, found.issuer, found.program) == (FAN.address, TILL.address, shop.program)
    assert (found.worked_at, found.recorded_at, found.credited_at, found.product) == (now, now, 0, b"")
    assert (found.role, found.work, found.mission) == (IDEA, some_hash("work"), mission)
    assert shop.chain.record(mission_key(mission)).taken == 1
    with refused(RECORDED):
        record(shop, slip)
    with refused(FULL, places=1):
        record(shop, slip_for(shop, FRIEND, mission=mission), author=FRIEND)


def test_without_a_mission(shop: Shop) -> None:
    slip = slip_for(shop)
    record(shop, slip)
    assert shop.chain.events[0].subjects() == (FAN.address, shop.program, contribution_id_of(slip))
    assert contribution(shop, slip).mission == b""


def test_neither_side_alone(shop: Shop) -> None:
    with refused(NOT_YOURS, fan=FAN.address):
        record(shop, slip_for(shop), author=FRIEND)
    with refused(BAD_ATTESTATION):
        record(shop, slip_for(shop), issuer=STRANGER)
    with refused(NOT_AN_ISSUER):
        record(shop, slip_for(shop, issuer=STRANGER.key), issuer=STRANGER)
    with refused(NO_PROGRAM):
        record(shop, slip_for(shop, program=ProgramId(NOWHERE)))


def test_the_key_needs_the_scope_at_the_slips_time(shop: Shop) -> None:
    shop.grant(STRANGER, scopes=SCOPE_TILL)
    with refused(NOT_AN_ISSUER):
        record(shop, slip_for(shop, issuer=STRANGER.key), issuer=STRANGER)
    before = Timestamp(shop.now - 1)
    shop.grant(STRANGER, scopes=SCOPE_RECORD)
    with refused(NOT_AN_ISSUER):
        record(shop, slip_for(shop, issuer=STRANGER.key, time=before), issuer=STRANGER)
    slip = slip_for(shop, issuer=STRANGER.key)
    shop.chain.send("issuer.revoke", IssuerRevoke(shop.program, STRANGER.address), author=OWNER)
    record(shop, slip, issuer=STRANGER)
    assert contribution(shop, slip).issuer == STRANGER.address, "thanks once given stay"
    shop.chain.mine()
    with refused(NOT_AN_ISSUER):
        record(shop, slip_for(shop, issuer=STRANGER.key), issuer=STRANGER)


def test_times(shop: Shop) -> None:
    with refused(FUTURE, time=shop.now + 1):
        record(shop, slip_for(shop, time=Timestamp(shop.now + 1)))
    mission = ask(shop, days=1)
    until = shop.chain.record(mission_key(mission)).until
    shop.chain.block(time=until + 100)
    with refused(OVER, until=until):
        record(shop, slip_for(shop, mission=mission, time=Timestamp(until + 1)))
    record(shop, slip_for(shop, mission=mission, time=until))


def test_which_mission(shop: Shop) -> None:
    with refused(NO_MISSION):
        record(shop, slip_for(shop, mission=MissionId(NOWHERE)))
    mission = ask(shop)
    other = shop.create_program(FRIEND)
    shop.program, own = other, shop.program
    shop.grant(TILL, author=FRIEND)
    with refused(OTHER_MISSION):
        record(shop, slip_for(shop, mission=mission))
    shop.program = own


def test_what_came_of_it(shop: Shop) -> None:
    slip = slip_for(shop)
    record(shop, slip)
    campaign, reward = shop.create_campaign(), shop.list_reward()
    contribution_id = contribution_id_of(slip)

    def credit(product: CampaignProduct | RewardProduct, author: Signer = OWNER) -> None:
        shop.chain.send("contribution.credit", ContributionCredit(contribution_id, product), author=author)

    with refused(NOT_OWNER):
        credit(CampaignProduct(campaign), TILL)
    with refused(NO_PRODUCT, product=NOWHERE):
        credit(CampaignProduct(CampaignId(NOWHERE)))
    with refused(NO_PRODUCT, product=NOWHERE):
        credit(RewardProduct(RewardId(NOWHERE)))
    others = shop.create_campaign(author=FRIEND)
    with refused(NO_PRODUCT, product=others):
        credit(CampaignProduct(others))
    now = shop.now
    credit(CampaignProduct(campaign))
    assert shop.chain.events == (ContributionCredited(contribution_id, shop.program, FAN.address, Hash(campaign)),)
    assert shop.chain.events[0].subjects() == (FAN.address, shop.program, contribution_id, campaign)
    found = contribution(shop, slip)
    assert (found.credited_at, found.product) == (now, campaign)
    with refused(CREDITED):
        credit(RewardProduct(reward))
    with refused(NO_CONTRIBUTION):
        payload = ContributionCredit(ContributionId(NOWHERE), RewardProduct(reward))
        shop.chain.send("contribution.credit", payload, author=OWNER)


def test_a_reward_or_a_campaign_in_the_programs_points(shop: Shop) -> None:
    reward, campaign = shop.list_reward(), shop.create_campaign(in_points=True)
    for salt, product in enumerate((RewardProduct(reward), CampaignProduct(campaign)), start=1):
        slip = slip_for(shop, salt=bytes((salt,)) * 32)
        record(shop, slip)
        payload = ContributionCredit(contribution_id_of(slip), product)
        shop.chain.send("contribution.credit", payload, author=OWNER)
        assert contribution(shop, slip).product in (reward, campaign)


def test_the_slip_as_bytes(shop: Shop) -> None:
    signed = sign_slip(slip_for(shop), shop.chain.chain_id, TILL.seeds[0])
    data = encode_slip(signed)
    assert len(data) <= SLIP_BYTES_MAX
    assert decode_slip(data) == signed
    assert slip_is_signed(signed, shop.chain.chain_id)
    assert not slip_is_signed(replace(signed, slip=replace(signed.slip, role=IDEA)), shop.chain.chain_id)
    with pytest.raises(Malformed):
        decode_slip(data[:-1])


def test_what_it_costs() -> None:
    shop = Shop()
    signed = sign_slip(slip_for(shop), shop.chain.chain_id, TILL.seeds[0])
    payload = ContributionRecord(signed.slip, signed.signature)
    assert CONTRIBUTION_RECORD.cost(payload) == Cost(records=3, slots=1, signatures=1)
