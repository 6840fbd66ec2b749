"""What holds for every transaction: ENV-3 to ENV-7, FEE-1 to FEE-5."""

from itertools import pairwise

from tests.model import (
    accounts,
    ballots,
    challenges,
    claims,
    consent,
    contests,
    crowdfunding,
    decisions,
    earn,
    gifts,
    guardians,
    loyalty,
    missions,
    offers,
    proposals,
    redemptions,
    returns,
    reviews,
    rewards,
)
from tests.model.accounts import address_of_key
from tests.model.records import ENROL, NOBODY, Refused, Sponsor, refuse_unless, terms_of_array
from tests.model.state import Model
from tests.model.transaction import Call, Tx

OWN, POOL, PREPAID = 0, 1, 2
POINTS = 1

RULES = {
    "transfer": accounts.transfer,
    "account.set_policy": accounts.set_policy,
    "account.set_guardians": guardians.set_guardians,
    "account.recover": guardians.recover,
    "account.cancel_recovery": guardians.cancel_recovery,
    "program.create": loyalty.create_program,
    "program.update": loyalty.update_program,
    "issuer.grant": loyalty.grant_issuer,
    "issuer.revoke": loyalty.revoke_issuer,
    "member.join": loyalty.join,
    "member.leave": loyalty.leave,
    "earn": earn.earn,
    "earn.contest": contests.contest,
    "earn.answer_contest": contests.answer,
    "reward.list": rewards.list_reward,
    "reward.update": rewards.update,
    "redeem": redemptions.redeem,
    "redeem.fulfil": redemptions.fulfil,
    "redeem.cancel": redemptions.cancel,
    "redeem.refund": redemptions.refund,
    "consent.grant": consent.grant,
    "consent.revoke": consent.revoke,
    "campaign.create": crowdfunding.create,
    "campaign.cancel": crowdfunding.cancel,
    "campaign.post_update": crowdfunding.post_update,
    "pledge": crowdfunding.pledge,
    "pledge.change": crowdfunding.change,
    "pledge.cancel": crowdfunding.cancel_pledge,
    "pledge.late": crowdfunding.pledge_late,
    "pledge.withdraw": crowdfunding.withdraw,
    "milestone.submit": decisions.submit,
    "milestone.vote": decisions.vote,
    "delivery.confirm": decisions.confirm,
    "adjust": gifts.adjust,
    "reverse": returns.reverse,
    "points.transfer": gifts.transfer_points,
    "program.sunset": gifts.announce_sunset,
    "challenge.create": challenges.create,
    "challenge.complete": challenges.complete,
    "challenge.contest": challenges.contest,
    "challenge.reverse": challenges.reverse,
    "offer.issue": offers.issue_offers,
    "offer.settle": offers.settle,
    "offer.contest": offers.contest,
    "offer.reverse": offers.reverse,
    "points.claim_collateral": claims.claim,
    "proposal.create": proposals.create,
    "ballot.cast": ballots.cast,
    "ballot.commit": ballots.commit,
    "ballot.reveal": ballots.reveal,
    "proposal.respond": proposals.respond,
    "obligation.fulfil": proposals.fulfil,
    "mission.create": missions.create,
    "contribution.record": missions.record,
    "contribution.credit": missions.credit,
    "review": reviews.write,
    "review.reply": reviews.reply,
}

# Records, slots, due items, attestations: the table "Kinds".
COSTS = {
    "account.cancel_recovery": (1, 0, 0, 0),
    "account.recover": (5, 0, 0, 0),
    "account.set_guardians": (3, 2, 0, 0),
    "account.set_policy": (1, 1, 0, 0),
    "adjust": (5, 2, 2, 0),
    "ballot.cast": (3, 1, 0, 0),
    "ballot.commit": (3, 1, 0, 0),
    "ballot.reveal": (2, 0, 0, 0),
    "campaign.cancel": (2, 0, 1, 0),
    "campaign.create": (4, 3, 14, 0),
    "campaign.post_update": (1, 0, 0, 0),
    "challenge.complete": (4, 4, 4, 0),
    "challenge.contest": (7, 3, 3, 0),
    "challenge.create": (3, 2, 1, 0),
    "challenge.reverse": (6, 0, 0, 1),
    "consent.grant": (2, 1, 0, 0),
    "consent.revoke": (1, 0, 0, 0),
    "contribution.credit": (1, 0, 0, 0),
    "contribution.record": (3, 1, 0, 1),
    "delivery.confirm": (2, 0, 0, 0),
    "earn": (4, 10, 5, 0),
    "earn.answer_contest": (6, 2, 2, 0),
    "earn.contest": (5, 4, 4, 1),
    "issuer.grant": (2, 1, 0, 0),
    "issuer.revoke": (1, 0, 0, 0),
    "member.join": (3, 1, 0, 0),
    "member.leave": (4, 0, 0, 0),
    "mission.create": (2, 1, 0, 0),
    "obligation.fulfil": (1, 0, 0, 0),
    "milestone.submit": (2, 0, 2, 0),
    "milestone.vote": (2, 0, 0, 0),
    "offer.contest": (6, 2, 2, 1),
    "offer.issue": (4, 0, 0, 0),
    "offer.reverse": (7, 1, 1, 1),
    "offer.settle": (4, 10, 5, 0),
    "pledge": (6, 1, 1, 0),
    "pledge.cancel": (7, 0, 0, 0),
    "pledge.change": (7, 0, 0, 0),
    "pledge.late": (7, 1, 1, 0),
    "pledge.withdraw": (8, 0, 0, 0),
    "points.claim_collateral": (6, 0, 0, 0),
    "points.transfer": (2, 0, 0, 0),
    "program.sunset": (1, 0, 0, 0),
    "program.create": (3, 3, 0, 0),
    "program.update": (3, 1, 0, 0),
    "proposal.create": (4, 3, 3, 0),
    "proposal.respond": (3, 2, 1, 0),
    "redeem": (7, 3, 2, 0),
    "redeem.cancel": (7, 0, 0, 0),
    "redeem.fulfil": (6, 1, 1, 0),
    "redeem.refund": (7, 1, 1, 0),
    "reverse": (8, 1, 1, 1),
    "review": (4, 2, 0, 0),
    "review.reply": (2, 0, 0, 0),
    "reward.list": (2, 1, 0, 0),
    "reward.update": (1, 0, 0, 0),
    "transfer": (2, 1, 0, 0),
}
PREPAID_WEIGHTS = {
    "account.cancel_recovery": 1_200,
    "member.leave": 1_200,
    "consent.revoke": 1_200,
    "redeem.cancel": 1_200,
    "ballot.reveal": 1_200,
    "pledge.cancel": 1_200,
    "pledge.withdraw": 1_200,
    "points.claim_collateral": 1_200,
    "earn.contest": 5_000,
    "challenge.contest": 20_000,
    "offer.contest": 5_000,
}


def weight_of(kind: str, payload: tuple, size: int, signatures: int) -> int:
    """ENV-7."""
    records, slots, due, attestations = COSTS[kind]
    if kind in ("earn", "offer.issue", "offer.settle"):
        records += 2 * len(payload[1])
    if kind == "offer.issue":
        slots, due = len(payload[1]), len(payload[1])
    if kind == "challenge.complete":
        records, slots, due = records + 4 * len(payload[1]), slots + len(payload[1]), due + len(payload[1])
    if kind == "challenge.contest":
        attestations = len(payload[3])
    if kind == "earn.answer_contest" and payload[4][0] == 2:
        records, slots, due, attestations = 7, 3, 3, 1 + len(payload[4][3][1])
    if kind in ("reverse", "offer.reverse", "challenge.reverse"):
        attestations += len(payload[-1][1])
    if kind == "member.join" and payload[2]:
        records, slots, due = 4, 2, 1
    if kind == "member.join" and payload[4]:
        records, slots, due, attestations = records + 2, slots + 1, due + 1, 2
    return size + 200 * (signatures + attestations) + 60 * (records + 1) + 300 * slots + 150 * due


def signers_of(tx: Tx) -> list[bytes]:
    """The author, then the co-signers that the kind names (ENV-3)."""
    if tx.kind == "member.join" and tx.payload[1]:
        return [tx.author, tx.payload[1]]
    if tx.kind == "campaign.create" and tx.payload[1][0] == POINTS and tx.payload[1][2]:
        return [tx.author, tx.payload[1][2]]
    return [tx.author]


def _ascends(items: list) -> bool:
    return all(left < right for left, right in pairwise(items))


def _check_offer(payload: tuple) -> None:
    """OFR-5, the check."""
    terms, net, paid, codes = payload[3], *payload[6:9]
    refuse_unless(_ascends(list(terms[3])) and (len(terms[3]) > 1 or not terms[5]), "offer.shape")
    refuse_unless(_ascends([code for code, _ in codes]), "receipt.shape")
    refuse_unless(terms[2] != 0 or (net, paid) == (0, 0), "offer.opening")
    refuse_unless(bool(terms[3]) or not codes, "offer.opening")


def check_structure(tx: Tx) -> None:
    """ENV-6, what the bytes alone say, as far as the machine breaks it; then the attestation."""
    if tx.kind in ("program.create", "program.update"):
        refuse_unless(loyalty.terms_are_sound(terms_of_array(tx.payload[-1])), "program.terms")
    if tx.kind in ("reward.list", "reward.update"):
        refuse_unless(rewards.limit_is_sound(tx.payload[5]), "reward.limit")
        refuse_unless(rewards.window_is_sound(tx.payload[6]), "reward.window")
    if tx.kind == "redeem.fulfil":
        refuse_unless(len(tx.payload[2]) in (0, tx.payload[1]), "redeem.codes")
    if tx.kind == "campaign.create":
        crowdfunding.check_terms(tx.payload)
    if tx.kind in ("pledge", "pledge.late", "pledge.change"):
        crowdfunding.check_add_ons(tx.payload[-1])
    if tx.kind == "account.set_guardians":
        refuse_unless(guardians.guardians_are_sound(tx.payload[0]), "guardians.invalid")
    if tx.kind == "account.set_policy":
        refuse_unless(accounts.policy_is_valid(tx.payload[0]), "witness.policy")
    if tx.kind == "earn.contest" and tx.payload[6][0] == 1:
        codes = [code for code, _ in tx.payload[6][3]]
        refuse_unless(_ascends(codes), "receipt.shape")
    if tx.kind == "earn":
        for entry in tx.payload[1]:
            names = [code for code, _ in entry[8]] if entry[0] == 1 else []
            refuse_unless(_ascends(names), "receipt.shape")
    if tx.kind == "earn.answer_contest" and tx.payload[4][0] == 0:
        for salt, points in tx.payload[4][-2:]:
            refuse_unless(salt != b"" or points == 0, "contest.opening")
    if tx.kind == "earn.answer_contest" and tx.payload[4][0] == 2:
        refuse_unless(tx.payload[1:4] == (bytes(32), 0, ()), "contest.place")
        returns.check_consent(tx.payload[4][3])
    if tx.kind in ("reverse", "offer.reverse", "challenge.reverse"):
        returns.check_consent(tx.payload[-1])
    if tx.kind == "member.join":
        refuse_unless(not (tx.payload[1] and tx.payload[4]), "voucher.with_issuer")
    if tx.kind == "challenge.create":
        refuse_unless(challenges.terms_are_sound(tx.payload), "challenge.terms")
    if tx.kind == "challenge.contest":
        places = [shown[:2] for shown in tx.payload[3]]
        refuse_unless(_ascends(places), "challenge.order")
        for shown in tx.payload[3]:
            refuse_unless(_ascends([code for code, _ in shown[5]]), "receipt.shape")
    if tx.kind == "offer.contest":
        _check_offer(tx.payload)
    if tx.payment[0] == PREPAID:
        refuse_unless(tx.kind in PREPAID_WEIGHTS, "envelope.not_prepaid")
    refuse_unless(len(tx.shown) == len(signers_of(tx)), "witness.count")
    for policy in tx.shown:
        refuse_unless(accounts.policy_is_valid(policy), "witness.policy")
    refuse_unless(tx.attested, "witness.attestation")


def weigh(tx: Tx) -> int:
    """The weight; each witness shows exactly its threshold of signatures."""
    return weight_of(tx.kind, tx.payload, tx.size, sum(threshold for threshold, _ in tx.shown))


def _check_place(model: Model, tx: Tx) -> None:
    """Room, once only, and validity (ENV-5, ENV-6)."""
    refuse_unless(model.block_weight + weigh(tx) <= model.params.block_weight_max, "block.full")
    found = model.once.get((tx.author, tx.salt))
    repetition = "" if found is None else "envelope.repeated" if found[0] == tx.txid else "envelope.salt_used"
    refuse_unless(found is None or found[1] != model.height, repetition)
    refuse_unless(0 <= tx.valid_until - tx.valid_from < model.params.validity_blocks_max, "envelope.validity")
    refuse_unless(tx.valid_from <= model.height, "envelope.early")
    refuse_unless(model.height <= tx.valid_until, "envelope.expired")
    active = dict(reversed(model.params.upgrades))
    active.update(dict.fromkeys(model.params.kinds, 0))
    refuse_unless(tx.kind in active and model.height >= active[tx.kind], "envelope.inactive_kind")
    refuse_unless(found is None, repetition)


def _check_policies(model: Model, tx: Tx) -> None:
    """ENV-3, and what becomes of the signers' recoveries (ENV-6)."""
    for signer, policy in zip(signers_of(tx), tx.shown, strict=True):
        wanted = guardians.policy_in_force(model, signer)
        refuse_unless(accounts.policy_hash(policy) == wanted, "witness.wrong_policy")
    for signer in signers_of(tx):
        guardians.write_down(model, signer, signs=True)
    waits = tx.kind in guardians.KINDS_THAT_WAIT and guardians.is_waiting(model, tx.author)
    refuse_unless(not waits, "account.recovering")


def pool_pays_for(model: Model, program: bytes, tx: Tx) -> bool:
    """FEE-3."""
    if tx.author == model.programs[program].owner or model.is_present_member(program, tx.author):
        return True
    grant = model.grants.get((program, tx.author))
    if grant is not None and grant.revoked_at == 0:
        return True
    if tx.kind != "member.join" or tx.payload[0] != program:
        return False
    issuers = [tx.payload[1], *(address_of_key(voucher[2]) for voucher in tx.payload[4])]
    inviting = next((model.grants.get((program, issuer)) for issuer in issuers if issuer), None)
    return inviting is not None and inviting.revoked_at == 0 and bool(inviting.scopes & ENROL)


def _count_sponsored(model: Model, tx: Tx, program: bytes, sponsor: Sponsor, spent: int) -> None:
    """FEE-2, after the rule."""
    today = model.today(program)
    books = model.books[program]
    if tx.author != model.programs[program].owner:
        of_block = spent + (books.sponsor_height_spent if books.sponsor_height == model.height else 0)
        refuse_unless(of_block <= sponsor.block_max, "fee.sponsor_limit")
        of_day = spent + (books.sponsor_day_spent if books.sponsor_day == today else 0)
        refuse_unless(of_day <= sponsor.day_max, "fee.sponsor_limit")
        model.books[program] = books._replace(
            sponsor_day=today,
            sponsor_day_spent=of_day,
            sponsor_height=model.height,
            sponsor_height_spent=of_block,
        )
    if model.is_present_member(program, tx.author):
        member = model.members[program, tx.author]
        of_member = spent + (member.sponsor_spent if member.sponsor_day == today else 0)
        refuse_unless(of_member <= sponsor.member_day_max, "fee.sponsor_limit")
        model.members[program, tx.author] = member._replace(sponsor_day=today, sponsor_spent=of_member)


def held_by(model: Model, program: bytes) -> int:
    """What FEE-2 counts from."""
    books = model.books[program]
    return books.pool + books.security + books.burned + books.collateral_paid


def apply(model: Model, tx: Tx) -> list[str]:
    """Apply a transaction to the block being built; its result codes. Raises `Refused`, and then `model` is of no more use."""
    check_structure(tx)
    _check_place(model, tx)
    _check_policies(model, tx)
    weight = weigh(tx)
    rule = RULES[tx.kind]
    if tx.payment[0] == OWN:
        fee = tx.payment[1]
        refuse_unless(fee >= weight * model.params.fee_rate_min, "fee.too_low")
        payer = b"A" + tx.author
        model.take(payer, fee)
        model.fees += fee
        codes = rule(model, Call(tx.txid, tx.author, payer, fee), tx.payload)
    elif tx.payment[0] == POOL:
        program = tx.payment[1]
        refuse_unless(program in model.programs, "program.unknown")
        sponsor = model.terms_now(program).sponsor
        fee = weight * sponsor.rate
        if not pool_pays_for(model, program, tx):
            raise Refused("fee.not_sponsored")
        payer = b"P" + program
        before = held_by(model, program)
        model.take(payer, fee)
        model.fees += fee
        codes = rule(model, Call(tx.txid, tx.author, payer, fee), tx.payload)
        _count_sponsored(model, tx, program, sponsor, max(fee, before - held_by(model, program)))
    else:
        refuse_unless(weight <= PREPAID_WEIGHTS[tx.kind], "fee.exit_weight")
        codes = rule(model, Call(tx.txid, tx.author, NOBODY, 0), tx.payload)
    model.block_weight += weight
    model.once[tx.author, tx.salt] = (tx.txid, model.height)
    return codes
