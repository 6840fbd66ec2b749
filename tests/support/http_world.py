"""A node on which something of every kind is found behind the API, and signed transactions that it has not seen yet."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from random import Random
from typing import Any, Final

from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from api.http.app import create_app
from api.http.rendering import show_hash
from api.http.settings import HttpSettings
from api.personalization.offer_plans import OfferWish
from api.receipts.lines import lines_root
from api.receipts.offer_plans import DrawnOffer, KeptPlan
from api.receipts.store import KeptReceipt, ReceiptStore
from ledger.address import encode_address
from ledger.domains.accounts.transfer import ToAccount, Transfer
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.state import PUBLISH, SHARE
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.loyalty.earn import Earn
from ledger.domains.loyalty.receipts import Receipt, SignedReceipt, receipt_hash, sign_receipt
from ledger.domains.offers.terms import encode_offer
from ledger.domains.rewards.acceptance import AcceptanceStatement, SignedAcceptance, sign_acceptance
from ledger.domains.rewards.redeem import Redeem
from ledger.errors import LedgerError
from ledger.finality.votes import SignedVote, Vote, sign_vote
from ledger.hashing import object_id
from ledger.registry import KINDS
from ledger.transaction import Prepaid, Transaction
from ledger.types import (
    Address,
    Amount,
    CampaignId,
    ChallengeId,
    ContestId,
    FulfilmentId,
    Hash,
    Height,
    HoldId,
    Points,
    ProgramId,
    ProposalId,
    ReceiptHash,
    RewardId,
    Timestamp,
    TxId,
)
from tests.support import live_votes
from tests.support.attested import KEYS, SEEDS, attestors
from tests.support.challenges import complete, create_challenge, entry_of
from tests.support.contests import GRACE_DAYS, contest, sign
from tests.support.live_shop import MINER, LiveShop
from tests.support.memory_chain import DAY_SECONDS, Signer, sim_params
from tests.support.offers import citation, cite, consent, issue, make_offer, settle_offers
from tests.support.pool_without_port import add_pool
from tests.support.random_payloads import Ids, values_of
from tests.support.shop import FAN, FRIEND, FUNDED, OWNER, POOR, STRANGER, TILL, some_hash
from tests.support.spoken import Spoken, speak

PAYLOADS_DRAWN: Final = 60
"""Payloads of any shape that are signed and sent."""
PEOPLE: Final = (*FUNDED, POOR)
PARTNER: Final = STRANGER
"""With whom FAN shares all that it may."""


@dataclass
class HttpWorld:
    """A shop with members, points, a reward, holds, a consent, a contest, challenges, campaigns open, funded and failed."""

    shop: LiveShop
    app: FastAPI
    reward: RewardId
    holds: list[HoldId]
    programs: list[ProgramId]
    campaigns: list[CampaignId]
    contests: list[ContestId]
    txids: list[TxId]
    payloads: list[tuple[str, Any, Signer]] = field(default_factory=list)
    cursors: dict[str, list[tuple[dict[str, Any], str]]] = field(default_factory=dict)
    """By operation: what stood in the path, and the cursor to its next page."""
    receipts: list[ReceiptHash] = field(default_factory=list)
    challenges: list[ChallengeId] = field(default_factory=list)
    fulfilments: list[FulfilmentId] = field(default_factory=list)
    proposals: list[ProposalId] = field(default_factory=list)
    """An open one on which FAN voted, and a sealed one to which it committed."""
    offers: list[Hash] = field(default_factory=list)
    mined: list[str] = field(default_factory=list)
    """Blocks that the node's miners found, as they are shown."""
    spoken: Spoken | None = None
    plan: bytes = b"p" * 16
    """A plan of offers that has drawn FAN."""
    nonces: Iterator[int] = field(default_factory=count)
    """No request is signed with the nonce of another one, even if everything else is the same."""
    _last: Transaction | None = None

    def text(self, address: bytes) -> str:
        """An account's address as text."""
        return encode_address(self.shop.chain.params.address_prefix, Address(address))

    @property
    def addresses(self) -> list[str]:
        """Of everybody who takes part."""
        return [self.text(signer.address) for signer in (*PEOPLE, MINER)]

    @property
    def said(self) -> Spoken:
        """What fans said and did."""
        assert self.spoken is not None, "the world is whole"
        return self.spoken

    @property
    def blocks(self) -> list[str]:
        """Heights and hashes of the active chain."""
        chain = self.shop.node.chain
        heights = [Height(height) for height in (0, 1, chain.tip.height // 2, chain.tip.height)]
        with self.shop.node.reader.snapshot() as view:
            hashes = [view.hash_at(height) for height in heights]
        return [*map(str, heights), *(show_hash(found) for found in hashes if found is not None)]

    def sign_transaction(self, random: Random) -> Transaction:
        """A really signed transaction: mostly a valid one, at times one that a rule refuses, or the last one again."""
        if self._last is not None and random.random() < 0.1:
            return self._last
        makers: Sequence[Callable[[Random], Transaction]] = (
            self._sign_transfer,
            self._sign_transfer,
            self._sign_pledge,
            self._sign_earn,
            self._sign_redeem,
            self._sign_anything,
            self._sign_late,
        )
        self._last = random.choice(makers)(random)
        return self._last

    def sign_vote(self, random: Random) -> SignedVote:
        """An attestor's vote for what the node would have it vote for."""
        desk = self.shop.node.desk
        assert desk is not None, "this chain has attestors"
        key = random.choice(KEYS[:4])
        sight = desk.sight(key)
        return sign_vote(SEEDS[key], key, Vote(sight.chain_id, sight.set_number, sight.source, sight.target))

    def sign_receipt(self, random: Random) -> SignedReceipt:
        """A receipt of the till for FAN, without lines; each is new. It is among `receipts` from now on."""
        chain, salt = self.shop.chain, random.randbytes(32)
        receipt = Receipt(
            version=1,
            program=self.shop.program,
            terms_version=1,
            member=FAN.address,
            till=TILL.key,
            sequence=len(self.receipts),
            time=Timestamp(chain.clock.now()),
            net_cents=random.randint(0, 10_000),
            paid_with_points_cents=0,
            codes=(),
            lines_root=Hash(lines_root(salt, ())),
            points=Points(0),
        )
        self.receipts.append(receipt_hash(receipt, salt))
        return sign_receipt(receipt, salt, self.shop.node.chain.chain_id, TILL.seeds[0])

    def keep_receipt(self, random: Random) -> ReceiptHash:
        """The id of a receipt of FAN's that lies in the store, whatever was erased before."""
        kept = KeptReceipt(self.sign_receipt(random), (), 0, Timestamp(self.shop.chain.clock.now()))
        asyncio.run(self.app.state.services.receipts.run(lambda store: store.add(kept)))
        return kept.id

    def sign_acceptance(self, random: Random) -> SignedAcceptance:
        """The till's word on a redemption that FAN asks for at this moment; at times on one that nobody knows."""
        chain = self.shop.chain
        redeem = chain.sign("redeem", Redeem(self.shop.program, self.reward, 1, Points(100)), author=FAN)
        hold = HoldId(object_id("hold", redeem.txid, 0))
        if random.random() < 0.9:
            chain.submit(redeem)
            self.mine()
            self.holds.append(hold)
        statement = AcceptanceStatement(
            version=1,
            program=self.shop.program,
            txid=redeem.txid,
            hold=hold,
            member=FAN.address,
            till=TILL.key,
            accepted_at=Timestamp(chain.clock.now()),
            depth=random.choice((1, 6, 100)),
        )
        return sign_acceptance(statement, self.shop.node.chain.chain_id, TILL.seeds[0])

    def mine(self) -> None:
        """Take what waits into a block."""
        self.shop.chain.mine_block()

    def close(self) -> None:
        """Close the API and the node."""
        self.app.state.services.close()
        self.shop.close()

    def _sign_transfer(self, random: Random) -> Transaction:
        payload = Transfer(ToAccount(random.choice(PEOPLE).address), Amount(random.randint(5_000, 10**6)))
        return self.shop.chain.sign("transfer", payload, author=random.choice(FUNDED))

    def _sign_pledge(self, random: Random) -> Transaction:
        payload = PledgeMake(self.campaigns[-1], random.randint(1, 10_000), 0)
        return self.shop.chain.sign("pledge", payload, author=random.choice(FUNDED))

    def _sign_earn(self, random: Random) -> Transaction:
        entries = tuple(self.shop.entry(fan, random.randint(0, 500)) for fan in (FAN, FRIEND, STRANGER))
        return self.shop.chain.sign("earn", Earn(self.shop.program, entries), author=TILL)

    def _sign_redeem(self, random: Random) -> Transaction:
        payload = Redeem(self.shop.program, self.reward, random.randint(1, 2), Points(random.choice([99, 100])))
        return self.shop.chain.sign("redeem", payload, author=FAN, payment=self.shop.sponsored)

    def _sign_late(self, random: Random) -> Transaction:
        height = self.shop.chain.height
        valid_from = Height(random.choice([0, height + 50]))
        payload = Transfer(ToAccount(FAN.address), Amount(10_000))
        return self.shop.chain.sign(
            "transfer", payload, author=FRIEND, valid_from=valid_from, valid_until=Height(valid_from + 5)
        )

    def _sign_anything(self, random: Random) -> Transaction:
        kind, payload, author = random.choice(self.payloads)
        by_address = {signer.address: signer for signer in PEOPLE}
        cosigners = [by_address[found] for found in KINDS[kind].cosigners(payload) if found in by_address]
        payment = random.choice([None, self.shop.sponsored, Prepaid()])
        try:
            return self.shop.chain.sign(kind, payload, author=author, payment=payment, cosigners=cosigners)
        except LedgerError:  # a shape may allow what the kind's own check of the payload refuses
            return self._sign_transfer(random)


def open_http_world(folder: Path) -> HttpWorld:
    """Let a shop live for some days, and put the API in front of its node."""
    params = sim_params(*(signer.address for signer in FUNDED), attestors=attestors(0, 1, 2, 3))
    shop = LiveShop(folder, params=params, refund_days=14, offer_day_max=Points(1_000))
    chain = shop.chain
    txids: list[TxId] = []
    shop.join(FAN, FRIEND)
    txids.append(chain.last_txid)
    chain.send("consent.grant", ConsentGrant(shop.program, PUBLISH, "", Timestamp(0)), author=FAN)
    chain.send("consent.grant", ConsentGrant(PARTNER.address, SHARE, "", Timestamp(0)), author=FAN)
    txids.append(chain.last_txid)
    shop.earn(FAN, 5_000)
    txids.append(chain.last_txid)
    programs = [shop.program, shop.create_program(FRIEND)]
    shop.list_reward(price=10_000, stock=1)
    reward = shop.list_reward(price=100, stock=1_000)
    funded = shop.create_campaign(author=OWNER, in_points=True, goal=100, days=1, tiers=(("Signed", 50, 5),))
    failed = shop.create_campaign(author=FRIEND, goal=10**9, days=1)
    shop.pledge(FAN, funded, 150, tier=1)
    shop.pledge(FAN, failed, 20_000)
    shop.pledge(OWNER, failed, 30_000)
    challenges = [create_challenge(shop), create_challenge(shop, budget=Points(100))]
    complete(shop, *(entry_of(which, [sign(shop, FAN), sign(shop, FAN, sequence=2)]) for which in challenges))
    consent(shop, FAN)
    offers = [make_offer(shop, number=number) for number in range(3)]
    issue(shop, *offers)
    settle_offers(shop, *(citation(shop, cite(shop, offers[0], sequence=number)) for number in (900, 901)))
    bought = sign(shop, FAN)
    chain.advance(days=GRACE_DAYS, blocks=8)
    chain.mine(2)
    contests = [contest(shop, bought)]
    hold = shop.redeem(FAN, reward, quantity=2)
    txids.append(chain.last_txid)
    fulfilment = shop.fulfil(hold, 1, (some_hash("code"),))
    due = Timestamp(shop.now + 60 * DAY_SECONDS)
    still_open = shop.create_campaign(
        author=OWNER, goal=10**6, days=30, delivery_due=due, delivery_key=bytes(range(32))
    )
    shop.pledge(FAN, still_open, 500)
    spoken = speak(shop)
    consent(shop, FAN, scope="service")
    waiting = chain.sign("transfer", Transfer(ToAccount(FAN.address), Amount(10_000)), author=STRANGER)
    chain.submit(waiting)
    txids.append(waiting.txid)
    app = create_app(
        shop.node,
        HttpSettings(
            rate_limited=False,
            tip_age_seconds_max=None,
            event_stream_seconds_max=0.01,
            webhook_hosts=(("localhost", 80),),
        ),
    )
    world = HttpWorld(shop, app, reward, [hold], programs, [funded, failed, still_open], contests, txids)
    world.fulfilments.append(fulfilment)
    world.proposals = [live_votes.ask(shop), live_votes.ask(shop, is_sealed=True)]
    live_votes.cast(shop, world.proposals[0], FAN, 1)
    live_votes.commit(shop, world.proposals[1], FAN, 1)
    world.challenges += challenges
    world.offers.extend(offer.offer_id for offer in offers)
    world.mined.append(show_hash(add_pool(shop.node).hash))
    world.spoken = spoken
    draw_a_plan(world)
    world.payloads = _draw_payloads(world)
    return world


def draw_a_plan(world: HttpWorld) -> None:
    """A plan of the program drew FAN, and the offer waits to be issued."""
    program, now = world.shop.program, Timestamp(world.shop.chain.clock.now())
    offer, ends_at = make_offer(world.shop, number=7), Timestamp(world.shop.now + DAY_SECONDS)
    wish = OfferWish("discovery", 20, 400, 40, 10, 0, {})
    plan = KeptPlan(world.plan, program, wish.to_document(), now)
    about = {"goal": "discovery", "items": []}
    drawn = DrawnOffer(plan.id, FAN.address, program, offer.offer_id, encode_offer(offer), about, now, ends_at)

    def keep(store: ReceiptStore) -> None:
        store.offer_plans.add(plan)
        assert store.offer_plans.draw(plan, [drawn], now, ends_at)

    asyncio.run(world.app.state.services.receipts.run(keep))


def _draw_payloads(world: HttpWorld) -> list[tuple[str, Any, Signer]]:
    """Payloads of any kind and shape, the same ones each time."""
    ids: Ids = {
        "program": [world.shop.program] * 5,
        "reward": [world.reward] * 3,
        "hold": world.holds,
        "fulfilment": world.fulfilments,
        "campaign": world.campaigns,
        "challenge": world.challenges,
        "": [signer.address for signer in PEOPLE],
    }
    drawn: list[tuple[str, Any, Signer]] = []
    calls = st.sampled_from(sorted(KINDS)).flatmap(
        lambda name: st.tuples(st.just(name), values_of(KINDS[name].payload, ids), st.sampled_from(PEOPLE))
    )

    @settings(
        max_examples=PAYLOADS_DRAWN,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
    )
    @given(calls)
    def draw(call: tuple[str, Any, Signer]) -> None:
        drawn.append(call)

    draw()
    return drawn
