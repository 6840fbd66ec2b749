"""A small chain that holds every kind of transaction: what the golden vectors of transactions, records and blocks are taken from.

Nothing in it is random: keys come from names, salts count up, times are fixed, nonces are the first that meet an easy target.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import count

import golden_finality
import golden_offers
from api.wallet.contests import contest_of
from api.wallet.offers import contest_offer_of
from golden_campaigns import tell_campaigns
from golden_challenges import complete_challenges, contest_challenge, create_challenges, reverse_challenge
from golden_receipts import FAN, OWNER, TILL, sign_purchase, sign_return
from golden_reviews import add_reviews
from golden_stand import end_stand, open_stand
from golden_voice import add_proposals
from ledger import coinbase as coinbase_format
from ledger.block import Block, Commitment, history_leaf, transaction_leaf, transaction_root
from ledger.difficulty import DifficultyState, advance, next_bits
from ledger.domains.accounts.cancel_recovery import CancelRecovery
from ledger.domains.accounts.recover import Recover
from ledger.domains.accounts.set_guardians import SetGuardians
from ledger.domains.accounts.set_policy import SetPolicy
from ledger.domains.accounts.state import Guardians
from ledger.domains.accounts.transfer import ToAccount, ToPool, Transfer
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.consent.state import CONTACT, PUBLISH
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit, PointsUnit
from ledger.domains.loyalty.adjust import Adjust
from ledger.domains.loyalty.contests import contest_id_of
from ledger.domains.loyalty.earn import Earn, OpenEntry, SealedEntry
from ledger.domains.loyalty.earn_answer_contest import (
    NO_PLACE,
    EarnAnswerContest,
    OpenedRemainder,
    ReturnAnswer,
    SealedAnswer,
)
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.issuer_revoke import IssuerRevoke
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.member_leave import MemberLeave
from ledger.domains.loyalty.points_claim_collateral import PointsClaimCollateral
from ledger.domains.loyalty.points_transfer import PointsTransfer
from ledger.domains.loyalty.price_floor import Floor
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.program_sunset import ProgramSunset
from ledger.domains.loyalty.program_update import ProgramUpdate
from ledger.domains.loyalty.receipts import (
    receipt_hash,
    seal_sum,
    sum_leaf,
    sum_path,
    sum_root,
)
from ledger.domains.loyalty.referral_bonus import ReferralBonus
from ledger.domains.loyalty.reverse import Reverse, SealedPlace
from ledger.domains.loyalty.state import (
    NEVER,
    SCOPE_FULFIL,
    SCOPES_ALL,
    BonusWindow,
    MinimumBasket,
    PeriodCap,
    PerVisit,
    RatePerAmount,
    RatePerCode,
    ReceiptCap,
    RollingExpiry,
    SlidingExpiry,
    SponsorPolicy,
    Terms,
    TierMultiplier,
)
from ledger.domains.rewards.redeem import Redeem
from ledger.domains.rewards.redeem_cancel import RedeemCancel
from ledger.domains.rewards.redeem_fulfil import RedeemFulfil
from ledger.domains.rewards.redeem_refund import RedeemRefund
from ledger.domains.rewards.reward_list import RewardList
from ledger.domains.rewards.reward_update import RewardUpdate
from ledger.domains.rewards.state import ALWAYS, Limit, Window
from ledger.hashing import COMMITMENT, object_id, sha256d
from ledger.header import VERSION_BASE, Header
from ledger.merkle import IncrementalTree
from ledger.params import Allocation, Params
from ledger.pow import meets_target, target_from_compact, work_of
from ledger.registry import KINDS
from ledger.transaction import Prepaid, Sponsored, Transaction
from ledger.types import (
    INTEGER_MAX,
    Address,
    Amount,
    BlockHash,
    CampaignId,
    ChallengeId,
    Day,
    FulfilmentId,
    Hash,
    HoldId,
    Points,
    ProgramId,
    ReceiptHash,
    RewardId,
    Timestamp,
    Work,
)
from tests.support.memory_chain import DAY_SECONDS, GENESIS_DAY, GENESIS_TIME, MinedBlock, Signer

FRIEND, BOARD, HELPER = Signer.named("friend"), Signer.named("board"), Signer.named("helper")
NEWCOMER = Signer.named("newcomer")
BOARD_KEYS = Signer.named("board keys", threshold=2, keys_count=3)
FUNDED = (OWNER, TILL, FAN, FRIEND, BOARD)
NOBODY = Address(bytes(31) + b"\x07")
RECOVER_OWNER = Recover(OWNER.address, Hash(HELPER.address))
NUMBERS = ((7, 500), (8, 499), (9, 500))
"""Number and points of the receipts that are contested."""

TERMS = Terms(
    rules=(
        RatePerAmount(Points(1), 10),
        MinimumBasket(50),
        ReceiptCap(Points(100_000)),
        RatePerCode("bakery", Points(1), 100),
        PerVisit(Points(5), 100, 3_600),
        BonusWindow(Day(GENESIS_DAY - 1), NEVER, 127, 0, 1_440, 11, 10),
        TierMultiplier(1, 6, 5),
        PeriodCap(Points(10_000), rejects=False),
    ),
    expiry=RollingExpiry(30),
    activation_delay_days=0,
    return_window_days=0,
    period_days=0,
    period_anchor_day=0,
    settle_grace_days=3,
    remainder_max=Points(100),
    issuance_cap=Points(1_000_000_000),
    hold_seconds=3_600,
    notice_days=10,
    sponsor=SponsorPolicy(Amount(2), Amount(100_000), Amount(1_000_000), Amount(5_000_000)),
    tiers=(("silver", 1_000), ("gold", 8_000)),
    tier_period_days=90,
    tier_grace_days=7,
    adjust_day_max=Points(1_000),
    transfer_day_max=Points(500),
    wind_down_days=60,
    referral=ReferralBonus(Points(20), Points(10)),
    floor=Floor(Points(100), 80),
    refund_days=14,
    offer_day_max=Points(1_000),
    burn=Amount(700),
)


def golden_params() -> Params:
    """Sim rules with fees and deposits, four allocations, and one upgrade, which the params hash leaves out."""
    addresses = sorted(signer.address for signer in FUNDED)
    return Params(
        name="golden",
        address_prefix="gold",
        magic=b"gold",
        genesis_time=GENESIS_TIME,
        eras=((0, 60, 7_200, 0x207FFFFF, 0x207FFFFF, 0),),
        subsidy_initial=Amount(5_000_000),
        halving_interval_blocks=4,
        maturity_blocks=3,
        block_weight_max=4_000_000,
        due_weight_max=1_000_000,
        fee_rate_min=Amount(2),
        record_deposit=Amount(10_000),
        account_minimum=Amount(1_000),
        validity_blocks_max=100,
        allocations=tuple(
            Allocation(address, Amount(10_000_000_000 + index)) for index, address in enumerate(addresses)
        ),
        kinds=tuple(sorted(KINDS)),
        upgrades=(("pledge", 1_000),),
        attestors=golden_finality.ATTESTORS,
        recovery_keys=golden_finality.RECOVERY_KEYS,
        recovery_threshold=2,
        silence_days=1,
        silence_blocks=8,
        checkpoint_interval_blocks=golden_finality.INTERVAL,
    )


@dataclass(frozen=True)
class GoldenBlock:
    """A whole block of the golden chain with what is known after it."""

    block: Block
    mined: MinedBlock
    work: Work
    difficulty: DifficultyState


class GoldenChain:
    """The chain: `scenario` applies the rules, `blocks` are sealed with headers of their own."""

    def __init__(self) -> None:
        self.scenario = golden_finality.AttestedScenario(params=golden_params())
        genesis = self.scenario.genesis
        self.tip, self.difficulty, self.work = genesis.block.hash, genesis.difficulty, genesis.work
        self.history = IncrementalTree([history_leaf(self.tip, self.work, self.difficulty.effective_time)])
        self.blocks: list[GoldenBlock] = []

    def add(self, transactions: Iterable[Transaction] = (), *, time: int | None = None) -> None:
        """Apply the transactions and seal the block."""
        mined = self.scenario.block(*transactions, time=time)
        block = self._seal(mined)
        bits = block.header.bits
        self.difficulty = advance(self.scenario.params.difficulty_eras, self.difficulty, block.header.time)
        self.work = Work(self.work + work_of(target_from_compact(bits)))
        self.tip = block.hash
        self.scenario.hashes.append(self.tip)
        self.history.extend([history_leaf(self.tip, self.work, self.difficulty.effective_time)])
        self.blocks.append(GoldenBlock(block, mined, self.work, self.difficulty))

    def _seal(self, mined: MinedBlock) -> Block:
        params, codes = self.scenario.params, mined.transition.codes
        leaves = [transaction_leaf(tx.wtxid, code) for tx, code in zip(mined.transactions, codes, strict=True)]
        height = mined.context.height
        commitment = Commitment(
            chain_id=self.scenario.chain_id,
            height=height,
            transaction_root=transaction_root(leaves),
            state_root=mined.root,
            history_root=self.history.root(),
            transaction_count=len(leaves),
            slot_count=mined.transition.slot_count,
            payees=mined.payees,
        ).encode()
        coinbase = coinbase_format.build(
            height=height,
            extranonce=coinbase_format.Extranonce(height.to_bytes(8, "little")),
            reward=Amount(sum(amount for _, amount in mined.payees)),
            magic=coinbase_format.Magic(params.magic),
            commitment=COMMITMENT(commitment),
        )
        bits = next_bits(params.difficulty_eras, self.difficulty)
        first = Header(VERSION_BASE, BlockHash(self.tip), Hash(sha256d(coinbase)), mined.time, bits, 0)
        headers = (replace(first, nonce=nonce) for nonce in count())
        header = next(header for header in headers if meets_target(header.hash, target_from_compact(bits)))
        return Block(header, coinbase, commitment, tuple(tx.raw for tx in mined.transactions), codes)


def make_golden_chain() -> GoldenChain:
    """Program, members, points, rewards, consents, a funded and a failed campaign, refunds, and a day of expiry."""
    chain = GoldenChain()
    sign = chain.scenario.sign
    create = sign("program.create", ProgramCreate("Corner Shop", "point", 0, -300, TERMS), author=OWNER)
    program = ProgramId(object_id("program", create.txid, 0))
    chain.add(_opening(chain, create, program))
    chain.add(_points_and_offers(chain, program))
    reward, campaigns = _ids(chain, "reward.list", "reward"), _ids(chain, "campaign.create", "campaign")
    pay = [
        sign(
            "redeem",
            Redeem(program, RewardId(reward[0]), quantity, Points(100)),
            author=FAN,
            payment=Sponsored(program),
        )
        for quantity in (1, 2)
    ]
    pledges = [
        sign("pledge", PledgeMake(CampaignId(campaigns[0]), 2_000, 1), author=FAN),
        sign("pledge", PledgeMake(CampaignId(campaigns[1]), 40, 0), author=FRIEND),
        sign("pledge", PledgeMake(CampaignId(campaigns[1]), 2, 0), author=FRIEND),
    ]
    enough = sign("account.recover", RECOVER_OWNER, author=TILL, payment=Sponsored(program))
    chain.add((*pay, *pledges, enough))
    chain.add(_endings(chain, program, RewardId(reward[0]), [HoldId(hold) for hold in _ids(chain, "redeem", "hold")]))
    fulfilment = FulfilmentId(_ids(chain, "redeem.fulfil", "fulfilment")[0])
    chain.add((sign("redeem.refund", RedeemRefund(fulfilment, 1), author=TILL),))
    forgotten = _gifts_and_returns(chain, program)
    back = sign_return(chain.scenario, program, FAN, golden_offers.CITING, points=40)
    for act in golden_offers.promises(chain.scenario, program, FAN, NEWCOMER, TILL, OWNER, back):
        chain.add((act,))
    stand, opening = open_stand(chain.scenario, TERMS)
    chain.add(opening)
    chain.add(end_stand(chain.scenario, stand))
    add_reviews(chain, program, RewardId(reward[0]), [CampaignId(campaign) for campaign in campaigns])
    for _ in range(3):
        chain.add()
    chain.add(time=chain.scenario.time + DAY_SECONDS)  # deadlines pass
    chain.add()  # one campaign is released, the other refunded
    golden_finality.attest(chain, author=FAN)
    _contest_and_answer(chain, program, forgotten)
    chain.add(time=chain.scenario.time + 31 * DAY_SECONDS)
    claim = sign("points.claim_collateral", PointsClaimCollateral(stand), author=NEWCOMER, payment=Prepaid())
    chain.add(time=Timestamp(chain.scenario.time + 1))  # points expire, and the stand has closed
    chain.add((claim,))
    tell_campaigns(chain, program, creator=FRIEND, owner=OWNER, backers=(FAN, TILL))
    add_proposals(chain, program)
    chain.scenario.replay()
    return chain


def _ids(chain: GoldenChain, kind: str, noun: str) -> list[Hash]:
    """Ids of the objects that the last block's transactions of one kind made."""
    made = chain.blocks[-1].mined.transactions
    return [object_id(noun, tx.txid, 0) for tx in made if tx.body.kind == kind]


def _opening(chain: GoldenChain, create: Transaction, program: ProgramId) -> list[Transaction]:
    sign = chain.scenario.sign
    join = MemberJoin(program, TILL.address)
    return [
        create,
        sign("transfer", Transfer(ToPool(program), Amount(400_000_000)), author=OWNER),
        sign("transfer", Transfer(ToAccount(HELPER.address), Amount(1_000)), author=OWNER),
        sign("issuer.grant", IssuerGrant(program, TILL.address, SCOPES_ALL, Points(INTEGER_MAX)), author=OWNER),
        sign("issuer.grant", IssuerGrant(program, HELPER.address, SCOPE_FULFIL, Points(0)), author=OWNER),
        sign("member.join", join, author=FAN, payment=Sponsored(program), cosigners=(TILL,)),
        sign("member.join", MemberJoin(program, Address(b"")), author=FRIEND),
        sign(
            "member.join",
            MemberJoin(program, TILL.address, FAN.address, gives_back_from_all=True),
            author=NEWCOMER,
            payment=Sponsored(program),
            cosigners=(TILL,),
        ),
        sign("consent.grant", ConsentGrant(program, PUBLISH, "", Timestamp(0)), author=FAN),
        sign(
            "consent.grant",
            ConsentGrant(program, CONTACT, "e-mail \u00fc", Timestamp(GENESIS_TIME + 99)),
            author=FRIEND,
        ),
        sign("account.set_policy", SetPolicy(BOARD_KEYS.policy), author=BOARD),
        sign("account.set_guardians", SetGuardians((_guardians(FAN, TILL, BOARD),)), author=OWNER),
        sign("account.set_guardians", SetGuardians((_guardians(OWNER),)), author=FRIEND),
    ]


def _guardians(*signers: Signer) -> Guardians:
    """Two of these, or the only one, after two days."""
    return Guardians(min(2, len(signers)), tuple(sorted(signer.address for signer in signers)), 2)


def _points_and_offers(chain: GoldenChain, program: ProgramId) -> list[Transaction]:
    sign, now, period = chain.scenario.sign, chain.scenario.time, GENESIS_DAY - 1
    receipts, remainder = Hash(bytes(range(32))), Hash(bytes(range(32, 64)))
    entries = (
        SealedEntry(FAN.address, period, Points(500), receipts, remainder),
        SealedEntry(FRIEND.address, period, Points(50), receipts, Hash(b"")),
        OpenEntry(
            FAN.address,
            period,
            ReceiptHash(receipts),
            1,
            Timestamp(now - 30),
            1_239,
            0,
            codes=(("bakery", 739), ("dairy", 500)),
            tier=1,
            previous_visit=GENESIS_TIME - 8 * 3_600,
        ),
        SealedEntry(NOBODY, period, Points(5), receipts, remainder),
        OpenEntry(FRIEND.address, period, ReceiptHash(receipts), 1, Timestamp(now - 30), -5, 7),
        SealedEntry(FAN.address, period, Points(0), receipts, Hash(b"")),
        SealedEntry(FRIEND.address, period, Points(12_000), receipts, Hash(b"")),
    )
    deadline = Timestamp(now + DAY_SECONDS)
    limit, window = Limit(5, 3, 7), Window(Timestamp(now - 60), Timestamp(now + 90 * DAY_SECONDS))
    tiers = (("Lamp", 1_000, 10), ("Zwei L\u00e4mpchen", 2_000, 0))
    return [
        sign("earn", Earn(program, entries), author=TILL, payment=Sponsored(program)),
        sign("reward.list", RewardList(program, "Coffee", Points(100), 10, 250, limit, window), author=OWNER),
        sign("campaign.create", CampaignTerms("Lamps", CoinUnit(), 2_000, deadline, tiers), author=FRIEND),
        sign("campaign.create", CampaignTerms("Ovens", PointsUnit(program), 1_000, deadline, ()), author=OWNER),
        sign("account.set_guardians", SetGuardians(()), author=FRIEND),
        sign("account.recover", RECOVER_OWNER, author=FAN),
    ]


def _endings(chain: GoldenChain, program: ProgramId, reward: RewardId, holds: list[HoldId]) -> list[Transaction]:
    sign = chain.scenario.sign
    board, codes = BOARD.governed_by(BOARD_KEYS), (Hash(bytes(32)),)
    better = replace(
        TERMS,
        rules=(RatePerAmount(Points(2), 10), *TERMS.rules[1:2], *TERMS.rules[3:7]),
        expiry=SlidingExpiry(30),
        hold_seconds=7_200,
    )
    return [
        sign("redeem.fulfil", RedeemFulfil(holds[1], 1, codes), author=HELPER, payment=Sponsored(program)),
        sign("redeem.cancel", RedeemCancel(holds[0]), author=FAN, payment=Prepaid()),
        sign(
            "reward.update",
            RewardUpdate(program, reward, Points(120), 5, True, Limit(4, 3, 7), ALWAYS, 1),
            author=OWNER,
        ),
        sign("program.update", ProgramUpdate(program, 1, better), author=OWNER),
        sign("issuer.revoke", IssuerRevoke(program, HELPER.address), author=OWNER),
        sign("consent.revoke", ConsentRevoke(program, PUBLISH, ""), author=FAN, payment=Prepaid()),
        sign("member.leave", MemberLeave(program), author=FRIEND, payment=Prepaid()),
        sign("transfer", Transfer(ToAccount(FAN.address), Amount(123_456_789)), author=board),
        sign("account.cancel_recovery", CancelRecovery(RECOVER_OWNER.policy_hash), author=OWNER, payment=Prepaid()),
    ]


def _gifts_and_returns(chain: GoldenChain, program: ProgramId) -> ChallengeId:
    """The newcomer's first purchase, half of which goes back; points given by the owner, and from one member to another.

    And challenges: one is completed with what goes back, another one, which is returned, will be contested.
    """
    sign, period = chain.scenario.sign, GENESIS_DAY - 1
    bought = SealedEntry(NEWCOMER.address, period, Points(30), Hash(bytes(range(32))), Hash(b""))
    earn = sign("earn", Earn(program, (bought,)), author=TILL)
    given = sign("adjust", Adjust(program, FAN.address, Points(25), "apology.late"), author=OWNER)
    chain.add((earn, given, *create_challenges(chain.scenario, program)))
    challenges = _ids(chain, "challenge.create", "challenge")
    place = SealedPlace(period, bought.points, bought.receipts, bought.remainder, Hash(b""))
    shown = sign_return(chain.scenario, program, NEWCOMER, ReceiptHash(bytes(range(160, 192))), points=20)
    back = Reverse(object_id("earn", earn.txid, 0), 0, (), place, Points(15), *shown)
    gift = PointsTransfer(program, NEWCOMER.address, Points(5))
    chain.add(
        (
            sign("reverse", back, author=TILL),
            sign("points.transfer", gift, author=FAN, payment=Sponsored(program)),
            complete_challenges(chain.scenario, program, challenges),
        )
    )
    chain.add((reverse_challenge(chain.scenario, program, challenges[0]),))
    return ChallengeId(challenges[1])


def _contest_and_answer(chain: GoldenChain, program: ProgramId, forgotten: ChallengeId) -> None:
    """Three receipts that nobody settled, contested after their grace; one is settled late, and that is the answer; one was
    returned, and that is another. One more cites an offer, which is contested too. The owner announces the program's end.
    """
    sign = chain.scenario.sign
    receipts = [sign_purchase(chain.scenario, program, sequence=number, points=points) for number, points in NUMBERS]
    offer = golden_offers.make_offer(program, FAN.address, 1)
    cites = sign_purchase(chain.scenario, program, sequence=10, points=500, offer=offer.offer_id)
    chain.add(time=chain.scenario.time + 5 * DAY_SECONDS)
    chain.add()
    unsettled, wrong, gone_back = (
        contest_of(signed, wrong_points=wrong) for signed, wrong in zip(receipts, (False, True, False), strict=True)
    )
    chain.add(
        (
            sign("earn.contest", unsettled, author=FAN, payment=Prepaid()),
            sign("earn.contest", wrong, author=FAN),
            sign("account.set_guardians", SetGuardians((_guardians(FAN, TILL, BOARD),)), author=OWNER),
            sign("earn.contest", gone_back, author=FAN),
            contest_challenge(chain.scenario, program, forgotten),
            sign("offer.contest", contest_offer_of(cites, offer), author=FAN, payment=Prepaid()),
        )
    )
    nodes = [sum_leaf(receipt_hash(signed.receipt, signed.salt), signed.receipt.points) for signed in receipts[:2]]
    salt, carried = Hash(bytes(range(96, 128))), OpenedRemainder(Hash(bytes(range(128, 160))), Points(99))
    period, points = GENESIS_DAY - 1, Points(900)
    entry = SealedEntry(FAN.address, period, points, seal_sum(salt, sum_root(nodes)), carried.commitment())
    late = sign("earn", Earn(program, (entry,)), author=TILL)
    chain.add((late, sign("account.recover", RECOVER_OWNER, author=BOARD.governed_by(BOARD_KEYS))))
    opened = SealedAnswer(
        period=period,
        points=points,
        receipt_points=Points(nodes[0].points),
        position=0,
        receipts=2,
        sums=tuple((Hash(node.hash), node.points) for node in sum_path(nodes, 0)),
        salt=salt,
        before=OpenedRemainder(Hash(b""), Points(0)),
        after=carried,
    )
    contest = contest_id_of(program, TILL.key, receipts[0].receipt.sequence)
    answer = EarnAnswerContest(contest, object_id("earn", late.txid, 0), 0, (), opened)
    last = receipts[2].receipt
    shown = sign_return(chain.scenario, program, FAN, receipt_hash(last, receipts[2].salt), points=last.points)
    contest = contest_id_of(program, TILL.key, last.sequence)
    returned = EarnAnswerContest(contest, NO_PLACE, 0, (), ReturnAnswer(*shown))
    end = Timestamp(chain.scenario.time + TERMS.notice_days * DAY_SECONDS)
    chain.add(
        (
            sign("earn.answer_contest", answer, author=TILL, payment=Sponsored(program)),
            sign("earn.answer_contest", returned, author=OWNER),
            sign("program.sunset", ProgramSunset(program, end), author=OWNER),
        )
    )
