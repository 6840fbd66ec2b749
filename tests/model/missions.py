"""Missions, contributions, and what came of them: MIS-1 to MIS-4."""

from ledger.codec import pack
from tests.model.accounts import address_of_key
from tests.model.loyalty import grant_at
from tests.model.participation_records import Contribution, Mission, Slip
from tests.model.records import RECORD, refuse_unless
from tests.model.state import Model
from tests.model.transaction import Call
from tests.second_decoder.hashing import object_id, tagged

CAMPAIGN_PRODUCT = 0


def create(model: Model, call: Call, payload: tuple) -> list[str]:
    """MIS-1."""
    program, title, text, until, places = payload
    refuse_unless(program in model.programs, "program.unknown")
    refuse_unless(model.programs[program].owner == call.author, "program.not_owner")
    refuse_unless(not model.has_ended(program, model.now), "program.ended")
    refuse_unless(until > model.now, "mission.until")
    model.take(call.payer, model.record_deposit)
    kept = (call.payer, model.record_deposit)
    model.missions[object_id("mission", call.txid)] = Mission(*kept, program, title, text, until, places, 0)
    return [""]


def contribution_id(slip: Slip) -> bytes:
    """MIS-2."""
    return tagged("CONTRIBUTION", pack(tuple(slip)))


def _take_a_place(model: Model, slip: Slip) -> None:
    """MIS-3, 4."""
    refuse_unless(slip.mission in model.missions, "mission.unknown")
    mission = model.missions[slip.mission]
    refuse_unless(mission.program == slip.program, "contribution.other_mission")
    refuse_unless(slip.time <= mission.until, "mission.over")
    refuse_unless(mission.places == 0 or mission.taken < mission.places, "mission.full")
    model.missions[slip.mission] = mission._replace(taken=mission.taken + 1)


def record(model: Model, call: Call, payload: tuple) -> list[str]:
    """MIS-3."""
    slip = Slip(*payload[0])
    refuse_unless(call.author == slip.fan, "contribution.not_yours")
    refuse_unless(slip.program in model.programs, "program.unknown")
    refuse_unless(slip.time <= model.now, "contribution.future")
    issuer = address_of_key(slip.issuer)
    grant = model.grants.get((slip.program, issuer))
    then = grant_at(grant, slip.time) if grant else None
    refuse_unless(then is not None and bool(then[0] & RECORD), "contribution.not_an_issuer")
    which = contribution_id(slip)
    refuse_unless(which not in model.contributions, "contribution.recorded")
    if slip.mission:
        _take_a_place(model, slip)
    model.take(call.payer, model.record_deposit)
    model.contributions[which] = Contribution(
        payer=call.payer,
        deposit=model.record_deposit,
        program=slip.program,
        fan=slip.fan,
        mission=slip.mission,
        role=slip.role,
        work=slip.work,
        issuer=issuer,
        worked_at=slip.time,
        recorded_at=model.now,
        credited_at=0,
        product=b"",
    )
    return [""]


def _is_product(model: Model, program: bytes, owner: bytes, product: tuple) -> bool:
    tag, which = product
    if tag != CAMPAIGN_PRODUCT:
        return (program, which) in model.rewards
    campaign = model.campaigns.get(which)
    return campaign is not None and (campaign.creator == owner or campaign.unit[:2] == (1, program))


def credit(model: Model, call: Call, payload: tuple) -> list[str]:
    """MIS-4."""
    which, product = payload
    refuse_unless(which in model.contributions, "contribution.unknown")
    found = model.contributions[which]
    refuse_unless(model.programs[found.program].owner == call.author, "program.not_owner")
    refuse_unless(found.credited_at == 0, "contribution.credited")
    refuse_unless(_is_product(model, found.program, call.author, product), "contribution.no_product")
    model.contributions[which] = found._replace(credited_at=model.now, product=product[1])
    return [""]
