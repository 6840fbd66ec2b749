"""The demo's grocer: its keys from a published phrase, its program, and the transactions that set it up.

THE PHRASE BELOW IS PUBLIC. It is one of BIP-39's own test vectors. Everybody can sign for the demo brand and for every demo
household; what they hold is worth nothing, and must stay so. Never send anything of value to an account of the demo.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

from api.demo.journey import CENTS_PER_POINT, PERIOD_ANCHOR_DAY, PERIOD_DAYS, PROGRAM_OFFSET_MINUTES
from api.demo.promotions import Promotion, PromotionId
from api.wallet.builder import ChainFacts, Signer, build
from api.wallet.derivation import derive_main_seed
from api.wallet.mnemonic import MasterSeed, Phrase, derive_master_seed
from api.wallet.sealing import PeriodRule
from ledger.domains.accounts.transfer import ToPool, Transfer
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.state import (
    SCOPE_ENROL,
    SCOPE_FULFIL,
    SCOPE_SETTLE,
    SCOPE_TILL,
    RatePerAmount,
    RollingExpiry,
    SponsorPolicy,
    Terms,
    TierMultiplier,
)
from ledger.domains.rewards.reward_list import RewardList
from ledger.domains.rewards.state import Limit, Window
from ledger.hashing import OBJECT, object_id
from ledger.networks import COIN
from ledger.params import Allocation
from ledger.transaction import Payment, decode_transaction
from ledger.types import Amount, Height, Points, ProgramId, RewardId

DEMO_PHRASE: Final = Phrase("legal winner thank year wave sausage worth useful legal winner thank yellow")
"""Published in BIP-39's test vectors: no secret, on purpose."""

OWNER_ACCOUNT: Final = 0
TILL_ACCOUNT: Final = 1
SETTLEMENT_ACCOUNT: Final = 2

ALLOCATION: Final = Amount(10_000_000 * COIN)
"""What the demo brand holds from genesis on."""
POOL: Final = Amount(1_000_000 * COIN)
"""What it puts into its program's fee pool: a year of 2,469 households takes a third of a coin of it."""

REMAINDER_MAX: Final = Points(500)
"""About a median week: the remainder must be able to hide a basket."""
EXPIRY_DAYS: Final = 182
"""Half a year, so that a replayed year shows points that expire."""
RETURN_WINDOW_DAYS: Final = 7
"""After the end of the purchase's week. By law points can't be spent before it is over, so that what goes back is still there."""

TIERS: Final = (("silver", 3_000), ("gold", 8_000))
"""Points of a quarter. At the end of the year 27 % of the fans stand at silver and 31 % at gold; after four weeks 17 % and 3 %."""
TIER_MULTIPLIERS: Final = (TierMultiplier(1, 5, 4), TierMultiplier(2, 3, 2))
TIER_PERIOD_DAYS: Final = 91
"""Thirteen weeks of settlement. What is earned in them counts for them and the next thirteen: then a fan may lose its tier."""
TIER_GRACE_DAYS: Final = 14

OFFER_DAY_MAX: Final = Points(10**6)
"""The largest campaign of the data, to all of its households on one day, promises a sixth of that."""

COUPONS_PER_MEMBER: Final = Limit(total=8, count=4, days=7)
"""What one fan may have of a campaign's coupons: a few households of the data took up to 17 of one."""

TERMS: Final = Terms(
    rules=(RatePerAmount(Points(1), CENTS_PER_POINT), *TIER_MULTIPLIERS),
    expiry=RollingExpiry(EXPIRY_DAYS),
    activation_delay_days=RETURN_WINDOW_DAYS,
    return_window_days=RETURN_WINDOW_DAYS,
    period_days=PERIOD_DAYS,
    period_anchor_day=PERIOD_ANCHOR_DAY,
    settle_grace_days=7,
    remainder_max=REMAINDER_MAX,
    issuance_cap=Points(10**12),
    hold_seconds=14 * 86_400,
    notice_days=30,
    sponsor=SponsorPolicy(
        rate=Amount(1), member_day_max=Amount(COIN), block_max=Amount(10 * COIN), day_max=Amount(1_000 * COIN)
    ),
    tiers=TIERS,
    tier_period_days=TIER_PERIOD_DAYS,
    tier_anchor_day=PERIOD_ANCHOR_DAY,
    tier_grace_days=TIER_GRACE_DAYS,
    offer_day_max=OFFER_DAY_MAX,
)
TERMS_VERSION: Final = 1
PERIODS: Final = PeriodRule(PROGRAM_OFFSET_MINUTES, PERIOD_DAYS, PERIOD_ANCHOR_DAY)

PROGRAM: Final = ProgramCreate("Grocer (demo)", "points", 0, PROGRAM_OFFSET_MINUTES, TERMS)


@lru_cache(maxsize=1)
def demo_brand_master() -> MasterSeed:
    """The root of the demo brand's keys."""
    return derive_master_seed(DEMO_PHRASE)


@dataclass(frozen=True, slots=True)
class Brand:
    """The demo brand's three accounts: the owner holds coin, the till signs and enrols, the settlement key settles."""

    owner: Signer
    till: Signer
    settlement: Signer

    def allocations(self) -> tuple[Allocation, ...]:
        """What genesis gives: coin for the owner, nothing for anybody else."""
        return (Allocation(self.owner.address, ALLOCATION),)


@lru_cache(maxsize=1)
def open_brand() -> Brand:
    """The accounts of the published phrase."""
    master = demo_brand_master()
    accounts = (OWNER_ACCOUNT, TILL_ACCOUNT, SETTLEMENT_ACCOUNT)
    return Brand(*(Signer.of_seed(derive_main_seed(master, account)) for account in accounts))


def make_salt(*parts: str | int) -> bytes:
    """A salt that a second run gives again: the demo is reproducible. Wallets take random ones."""
    return OBJECT("/".join(["fansumer demo", *(str(part) for part in parts)]).encode())[:8]


@dataclass(frozen=True, slots=True)
class Setup:
    """The brand's first transactions by the block they are for, and the ids that follow from them."""

    program: ProgramId
    rewards: Mapping[PromotionId, RewardId]
    first: tuple[bytes, ...]
    second: tuple[bytes, ...]


def set_up_program(
    facts: ChainFacts, brand: Brand, promotions: Sequence[Promotion], *, first: Height, second: Height
) -> Setup:
    """Create the program in the block `first`; fill its pool, grant its issuers and list the coupons in `second`."""

    def sign(height: Height, name: str, kind: str, payload: Any, payment: Payment | None = None) -> bytes:
        salt = make_salt("setup", name)
        return build(facts, kind, payload, brand.owner, valid_from=height, salt=salt, payment=payment)

    def id_of(name: str, raw: bytes) -> bytes:
        return object_id(name, decode_transaction(raw, facts.chain_id).txid, 0)

    creation = sign(first, "program", "program.create", PROGRAM)
    program = ProgramId(id_of("program", creation))
    at_the_till = SCOPE_TILL | SCOPE_ENROL | SCOPE_FULFIL
    listings = {
        promotion.promotion_id: sign(
            second, f"reward {promotion.promotion_id}", "reward.list", offer_coupon(program, promotion)
        )
        for promotion in promotions
    }
    till = IssuerGrant(program, brand.till.address, at_the_till, Points(10**7))
    settlement = IssuerGrant(program, brand.settlement.address, SCOPE_SETTLE, Points(10**11))
    then = (
        sign(second, "pool", "transfer", Transfer(ToPool(program), POOL)),
        sign(second, "till", "issuer.grant", till),
        sign(second, "settlement", "issuer.grant", settlement),
        *listings.values(),
    )
    rewards = {number: RewardId(id_of("reward", raw)) for number, raw in listings.items()}
    return Setup(program, rewards, (creation,), then)


def offer_coupon(program: ProgramId, promotion: Promotion) -> RewardList:
    """The coupon of a campaign of the shop as a reward: while the campaign ran, as far as the stock goes, so many each."""
    return RewardList(
        program=program,
        name=promotion.title,
        price=promotion.price,
        stock=promotion.stock,
        limit=COUPONS_PER_MEMBER,
        window=Window(promotion.opens_at, promotion.closes_at),
        tier_min=promotion.tier_min,
    )
