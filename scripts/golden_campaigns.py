"""The golden chain's second campaign: every kind of crowdfunding from the first pledge to a late delivery, and one given up."""

from collections.abc import Iterable
from hashlib import sha256
from typing import TYPE_CHECKING

from ledger.domains.crowdfunding.campaign_cancel import CampaignCancel
from ledger.domains.crowdfunding.campaign_post_update import CampaignPostUpdate
from ledger.domains.crowdfunding.delivery_confirm import DeliveryConfirm
from ledger.domains.crowdfunding.milestone_submit import MilestoneSubmit
from ledger.domains.crowdfunding.milestone_vote import MilestoneVote
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.pledge_cancel import PledgeCancel
from ledger.domains.crowdfunding.pledge_change import PledgeChange
from ledger.domains.crowdfunding.pledge_withdraw import PledgeWithdraw
from ledger.domains.crowdfunding.state import campaign_key, campaign_terms_key
from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit, PointsUnit
from ledger.hashing import object_id
from ledger.transaction import Prepaid, Transaction
from ledger.types import CampaignId, Hash, ProgramId, Timestamp
from tests.support.memory_chain import DAY_SECONDS, Signer

if TYPE_CHECKING:
    from golden_chain import GoldenChain


HOUR_SECONDS = 3_600


def tell_campaigns(
    chain: "GoldenChain", program: ProgramId, *, creator: Signer, owner: Signer, backers: tuple[Signer, Signer]
) -> None:
    """`creator` raises coin from two backers, pledges late to itself, delivers late; a licensed voucher it gives up."""
    sign = chain.scenario.sign
    first, second = backers
    coin, voucher = _open(chain, program, creator, owner)
    _act(
        chain,
        (
            sign("pledge", PledgeMake(coin, 600, 1, ((2, 3),)), author=first),
            sign("pledge", PledgeMake(coin, 300, 0), author=second),
            sign("pledge", PledgeMake(coin, 200, 0), author=first),
        ),
    )
    _act(
        chain,
        (
            sign("pledge.change", PledgeChange(coin, 1, 400, 2, ((1, 1),)), author=second),
            sign("pledge.cancel", PledgeCancel(coin, 2), author=first, payment=Prepaid()),
            sign("campaign.post_update", CampaignPostUpdate(coin, _digest("The mould is ordered.")), author=creator),
            sign("campaign.cancel", CampaignCancel(voucher), author=creator),
        ),
    )
    _pass_decision(chain, coin)
    _act(chain, (sign("pledge.late", PledgeMake(coin, 101, 0), author=creator),))
    _act(chain, (sign("milestone.submit", MilestoneSubmit(coin, 1, _digest("mould.jpg")), author=creator),))
    _act(
        chain,
        (
            sign("milestone.vote", MilestoneVote(coin, 0, approves=True), author=first),
            sign("milestone.vote", MilestoneVote(coin, 1, approves=False), author=second),
        ),
    )
    _act(chain, (sign("pledge.withdraw", PledgeWithdraw(coin, 1), author=second, payment=Prepaid()),))
    _pass_decision(chain, coin)
    chain.add(time=_terms_due(chain, coin) + 1)
    _act(chain, (sign("milestone.submit", MilestoneSubmit(coin, 2, _digest("parcels.pdf")), author=creator),))
    _act(chain, (sign("delivery.confirm", DeliveryConfirm(coin, 0, received=True), author=first),))
    _pass_decision(chain, coin)


def _open(chain: "GoldenChain", program: ProgramId, creator: Signer, owner: Signer) -> tuple[CampaignId, CampaignId]:
    sign, deadline = chain.scenario.sign, chain.scenario.time + 2 * HOUR_SECONDS
    terms = CampaignTerms(
        "Desk lamp",
        CoinUnit(),
        900,
        Timestamp(deadline),
        (("Early", 500, 2), ("Any", 300, 0)),
        add_ons=(("Shade", 100, 5), ("Bulb", 10, 0)),
        stretch=((1_000, "Brass"), (2_000, "Gold")),
        milestones=(("Start", 3_000, 0), ("Mould", 3_000, deadline + HOUR_SECONDS)),
        reserve=4_000,
        delivery_due=Timestamp(deadline + 2 * HOUR_SECONDS),
        grace_seconds=30 * DAY_SECONDS,
        vote_seconds=HOUR_SECONDS // 2,
        retry_seconds=0,
        late_until=Timestamp(deadline + HOUR_SECONDS),
        delivery_key=bytes(range(32)),
    )
    voucher = CampaignTerms(
        "Vouchers",
        PointsUnit(program, owner.address),
        50,
        Timestamp(deadline),
        all_or_nothing=False,
        silence_approves=True,
    )
    made = (
        sign("campaign.create", terms, author=creator),
        sign("campaign.create", voucher, author=creator, cosigners=(owner,)),
    )
    _act(chain, made)
    first, second = (CampaignId(object_id("campaign", tx.txid, 0)) for tx in made)
    return first, second


def _act(chain: "GoldenChain", transactions: Iterable[Transaction]) -> None:
    """A block with these transactions and no due work: what is due (open contests are, each minute) is done in one before it."""
    chain.add(time=chain.scenario.time + 1)
    chain.add(transactions)


def _pass_decision(chain: "GoldenChain", campaign: CampaignId) -> None:
    """Let the time and the blocks of the next decision pass, and let it be made."""
    for _ in range(5):
        chain.add()
    chain.add(time=chain.scenario.record(campaign_key(campaign)).until)
    chain.add()


def _terms_due(chain: "GoldenChain", campaign: CampaignId) -> int:
    return int(chain.scenario.record(campaign_terms_key(campaign)).delivery_due)


def _digest(text: str) -> Hash:
    return Hash(sha256(text.encode()).digest())
