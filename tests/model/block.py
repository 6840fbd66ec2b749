"""A block: due work, transactions, reward (BLK-3, DUE-2, EMI-1, EMI-2)."""

from collections.abc import Callable

from tests.model import (
    challenges,
    contests,
    decisions,
    earn,
    gifts,
    offers,
    points,
    proposals,
    redemptions,
    returns,
    vouchers,
)
from tests.model.envelope import apply
from tests.model.records import DueItem, Refused
from tests.model.state import Model
from tests.model.transaction import Tx

DUE_WEIGHTS = {
    "campaign.refund": 600,
    "campaign.decide": 400,
    "challenge.end": 300,
    "challenge.forget": 200,
    "earn.contest": 900,
    "earn.drop": 200,
    "member.referral": 900,
    "offer.end": 400,
    "program.day": 200,
    "proposal.step": 300,
    "redeem.count": 400,
    "redeem.forget": 300,
    "redeem.timeout": 600,
    "return.drop": 200,
    "voucher.forget": 200,
}
OF_A_SUBJECT: dict[str, Callable[[Model, bytes], None]] = {
    "challenge.end": challenges.end,
    "challenge.forget": challenges.forget,
    "earn.contest": contests.end_contest,
    "earn.drop": earn.drop_batch,
    "member.referral": gifts.end_referral,
    "offer.end": offers.end,
    "redeem.count": redemptions.look_at_count,
    "redeem.forget": redemptions.forget,
    "redeem.timeout": redemptions.time_out,
    "return.drop": returns.drop_return,
    "voucher.forget": vouchers.forget,
}


def _weight_of(model: Model, item: DueItem) -> int:
    pieces = 1
    if item.kind == "campaign.refund":
        pieces = decisions.numbers_in_piece(model, item.subject, item.number)
    return DUE_WEIGHTS[item.kind] * pieces


def _do(model: Model, item: DueItem) -> None:
    if item.kind == "campaign.refund":
        decisions.refund(model, item.subject, item.number)
    elif item.kind == "proposal.step":
        proposals.do_step(model, item.subject, item.number)
    elif item.kind == "campaign.decide":
        decisions.decide(model, item.subject, item.number)
    elif item.kind == "program.day":
        points.begin_day(model, item.subject, item.number)
    else:
        OF_A_SUBJECT[item.kind](model, item.subject)


def begin_block(model: Model) -> None:
    """The block after the last one: its height, and its due work (DUE-2). `now` is the time of the block before."""
    model.height += 1
    model.block_weight = 0
    oldest = max(model.height - model.params.validity_blocks_max, 0)
    model.once = {key: found for key, found in model.once.items() if found[1] >= oldest}
    spent = 0
    last = (-1, -1)
    while True:
        waiting = [key for key in model.due if key > last and key[0] <= model.now]
        if not waiting:
            return
        key = min(waiting)
        weight = _weight_of(model, model.due[key])
        if spent + weight > model.params.due_weight_max:
            return
        _do(model, model.due.pop(key))
        spent += weight
        last = key


def offer(model: Model, tx: Tx) -> tuple[Model, list[str]]:
    """The model after a transaction, and its result codes. Raises `Refused`; `model` is as it was in any case."""
    attempt = model.copy()
    codes = apply(attempt, tx)
    return attempt, codes


def verdict(model: Model, tx: Tx) -> tuple[Model, str, list[str]]:
    """The model after a transaction, the code with which it was refused ("" if it was not), and its result codes."""
    try:
        after, codes = offer(model, tx)
    except Refused as refused:
        return model, refused.code, []
    return after, "", codes


def subsidy(model: Model, height: int) -> int:
    """EMI-1."""
    halvings = (height - 1) // model.params.halving_interval_blocks
    return 0 if halvings >= 63 else model.params.subsidy_initial >> halvings


def reward_of(model: Model) -> int:
    """EMI-2."""
    return subsidy(model, model.height) + model.fees


def finish_block(model: Model, payees: tuple[tuple[bytes, int], ...], header_time: int) -> None:
    """The reward phase, and the clock of the next block."""
    assert sum(amount for _, amount in payees) == reward_of(model)
    for address, amount in model.maturing.pop(model.height - model.params.maturity_blocks, ()):
        model.give(b"A" + address, amount)
    if payees:
        model.maturing[model.height] = payees
    model.emitted += subsidy(model, model.height)
    model.fees = 0
    model.now = header_time
