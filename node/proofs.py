"""Making proofs from the chain as it is now (spec PRF). The node's lock must be held."""

from ledger.block import transaction_leaf
from ledger.domains.accounts.state import account_key, guardianship_key
from ledger.domains.crowdfunding.state import (
    campaign_key,
    campaign_terms_key,
    former_pledge_key,
    load_campaign,
    pledge_key,
)
from ledger.domains.crowdfunding.terms import PointsUnit
from ledger.domains.loyalty.state import books_key, load_member, load_program, member_key, program_key
from ledger.domains.rewards.state import reward_key
from ledger.domains.voice.contributions import contribution_key, load_contribution
from ledger.domains.voice.review_reply import NO_REVIEW
from ledger.domains.voice.reviews import review_key
from ledger.domains.voice.state import ballot_key, load_proposal, obligation_key, proposal_key
from ledger.errors import Code, RuleViolation
from ledger.hashing import WTX
from ledger.merkle import inclusion_path
from ledger.proofs import CLAIMS_MAX, Anchor, Home, Proof, RecordClaim, TransactionClaim, Trusted
from ledger.state import Overlay
from ledger.transaction import Transaction, decode_transaction
from ledger.types import (
    Address,
    BlockHash,
    CampaignId,
    ContributionId,
    Hash,
    Height,
    ProgramId,
    ProposalId,
    RecordKey,
    RewardId,
    TxId,
    WtxId,
)
from node.chain import Chain
from node.errors import NodeError
from node.store.extent import BLOCK_NOT_KEPT

NO_RECORD = Code(
    "proof.no_record",
    "the latest state has no such record",
    "Check the id. What ended may be deleted: prove the transaction that ended it instead.",
)
NO_TRANSACTION = Code(
    "transaction.unknown",
    "the transaction {txid} is in no block, and does not wait for one here",
    "Check the id. If you have sent it, send the same bytes again: twice is harmless, and a refusal says why.",
)
NO_BLOCK = Code("proof.no_block", "a proof needs at least one block after genesis", "Wait for the first block.")
NOT_MY_CHAIN = Code(
    "proof.not_my_chain",
    "the block {hash} is not on the chain that this node follows",
    "Check the hash. If your source is right, this node follows another chain: ask another node.",
)


def make_account_proof(chain: Chain, address: Address, trust: BlockHash | None = None) -> Proof:
    """What an account holds in coin, which policy its record names, and who may recover it.

    Raises `proof.no_record` for one that is empty.
    """
    stored = chain.state.stored(account_key(address))
    guarded = stored is not None and stored.record.is_guarded
    more = (guardianship_key(address),) if guarded else ()
    return make_record_proof(chain, account_key(address), *more, trust=trust)


def make_program_proof(chain: Chain, program: ProgramId, trust: BlockHash | None = None) -> Proof:
    """A program's books: its totals, with its name and unit. Raises `program.unknown`."""
    load_program(Overlay(chain.state), program)
    return make_record_proof(chain, books_key(program), program_key(program), trust=trust)


def make_member_proof(chain: Chain, program: ProgramId, member: Address, trust: BlockHash | None = None) -> Proof:
    """A member's points, lot by lot. Raises `program.unknown`, `member.unknown`."""
    state = Overlay(chain.state)
    load_program(state, program)
    load_member(state, program, member)
    return make_record_proof(chain, member_key(program, member), program_key(program), trust=trust)


def make_campaign_proof(chain: Chain, campaign: CampaignId, trust: BlockHash | None = None) -> Proof:
    """What a campaign collected and holds in escrow. Raises `campaign.unknown`."""
    keys = _campaign_keys(chain, campaign)
    if not keys:
        load_campaign(Overlay(chain.state), campaign)
    return make_record_proof(chain, *keys, trust=trust)


def make_pledge_proof(chain: Chain, campaign: CampaignId, number: int, trust: BlockHash | None = None) -> Proof:
    """What one pledge put in, or what it left on record. Raises `campaign.unknown`; `proof.no_record` where neither is there."""
    load_campaign(Overlay(chain.state), campaign)
    if not 0 <= number < 2**32:
        raise NodeError(NO_RECORD)
    former = former_pledge_key(campaign, number)
    key = pledge_key(campaign, number) if chain.state.stored(former) is None else former
    return make_record_proof(chain, key, *_campaign_keys(chain, campaign), trust=trust)


def make_review_proof(chain: Chain, subject: Hash, author: Address, trust: BlockHash | None = None) -> Proof:
    """What an account says of a subject, and the subject's own record. Raises `review.unknown`."""
    key = review_key(subject, author)
    if chain.state.stored(key) is None:
        raise RuleViolation(NO_REVIEW, author=author)
    named = [program_key(ProgramId(subject)), *_campaign_keys(chain, CampaignId(subject))]
    return make_record_proof(chain, key, *(found for found in named if chain.state.stored(found)), trust=trust)


def make_contribution_proof(chain: Chain, contribution: ContributionId, trust: BlockHash | None = None) -> Proof:
    """What a fan did for a program, and what came of it. Raises `contribution.unknown`."""
    found = load_contribution(Overlay(chain.state), contribution)
    product: list[RecordKey] = []
    if found.product:
        reward = reward_key(found.program, RewardId(found.product))
        is_reward = chain.state.stored(reward) is not None
        product = [reward] if is_reward else _campaign_keys(chain, CampaignId(found.product))
    naming = list(dict.fromkeys((program_key(found.program), *product)))[: CLAIMS_MAX - 1]
    return make_record_proof(chain, contribution_key(contribution), *naming, trust=trust)


def make_ballot_proof(chain: Chain, proposal: ProposalId, voter: Address, trust: BlockHash | None = None) -> Proof:
    """A ballot, the proposal with its outcome and answer, its program, and what became of an answer that binds.

    Raises `proposal.unknown`; `proof.no_record` for an account that did not vote.
    """
    found = load_proposal(Overlay(chain.state), proposal)
    obligation = obligation_key(proposal)
    adopted = (obligation,) if chain.state.stored(obligation) is not None else ()
    naming = (proposal_key(proposal), program_key(found.program), *adopted)
    return make_record_proof(chain, ballot_key(proposal, voter), *naming, trust=trust)


def make_record_proof(chain: Chain, key: RecordKey, *naming: RecordKey, trust: BlockHash | None = None) -> Proof:
    """A proof of the record under `key` in the latest state, and of those that name what is in it.

    It leads to the block `trust`, or to genesis. Raises `proof.no_record`, `proof.no_block`, `proof.not_my_chain`.
    """
    return _prove(chain, tuple(_claim_record(chain, found) for found in (key, *naming)), trust)


def make_transaction_proof(
    chain: Chain, txid: TxId, height: Height, position: int, trust: BlockHash | None = None
) -> Proof:
    """A proof of a transaction that stands at `position` of the active block at `height`, and of the names in it.

    Raises `transaction.unknown`, `block.not_kept`, and what `make_record_proof` raises.
    """
    block = chain.block_at(height)
    if block is None and height < chain.extent.bodies_from:
        raise NodeError(BLOCK_NOT_KEPT, height=height, bodies_from=chain.extent.bodies_from)
    if block is None or position >= len(block.transactions):
        raise NodeError(NO_TRANSACTION, txid=txid)
    leaves = [
        transaction_leaf(WtxId(WTX(raw)), results)
        for raw, results in zip(block.transactions, block.results, strict=True)
    ]
    home: tuple[Home, ...] = ()
    if height != chain.tip.height:
        known = chain.header_at(height)
        home = (
            Home(
                header=block.header.encode(),
                coinbase=block.coinbase,
                commitment=block.commitment_bytes,
                work=known.work.to_bytes(32, "big"),
                effective_time=known.difficulty.effective_time,
                path=chain.history_path(height),
            ),
        )
    claim = TransactionClaim(
        transaction=block.transactions[position],
        results=block.results[position],
        index=position,
        path=inclusion_path(leaves, position),
        home=home,
    )
    transaction = decode_transaction(block.transactions[position], chain.chain_id)
    naming = [_claim_record(chain, key) for key in _keys_named(chain, transaction)]
    return _prove(chain, (claim, *naming[: CLAIMS_MAX - 1]), trust)


def _keys_named(chain: Chain, transaction: Transaction) -> list[RecordKey]:
    """Records of the program or the campaign that a transaction is about, where they still exist."""
    campaign, program = (getattr(transaction.payload, name, None) for name in ("campaign", "program"))
    keys = [] if campaign is None else _campaign_keys(chain, CampaignId(campaign))
    if program is not None and chain.state.stored(program_key(ProgramId(program))) is not None:
        keys.append(program_key(ProgramId(program)))
    return keys


def _campaign_keys(chain: Chain, campaign: CampaignId) -> list[RecordKey]:
    """A campaign's record, its terms, and the program whose points it collects; nothing for an unknown campaign."""
    stored = chain.state.stored(campaign_key(campaign))
    if stored is None:
        return []
    unit = stored.record.unit
    keys = [campaign_key(campaign), campaign_terms_key(campaign)]
    return [*keys, *([program_key(unit.program)] if isinstance(unit, PointsUnit) else [])]


def _claim_record(chain: Chain, key: RecordKey) -> RecordClaim:
    place = chain.state_path(key)
    stored = chain.state.stored(key)
    if place is None or stored is None:
        raise NodeError(NO_RECORD)
    slot, path = place
    assert slot == stored.slot, "the path is the record's"
    return RecordClaim(key, stored.value_bytes, stored.slot, path)


def _prove(chain: Chain, claims: tuple[RecordClaim | TransactionClaim, ...], trust: BlockHash | None) -> Proof:
    tip = chain.tip
    block = chain.block(tip.hash)
    if block is None or tip.height == 0:
        raise NodeError(NO_BLOCK)
    anchor = Anchor(block.header.encode(), block.coinbase, block.commitment_bytes, ())
    return Proof(1, chain.chain_id, tip.hash, anchor, _lead_to(chain, trust), claims)


def _lead_to(chain: Chain, trust: BlockHash | None) -> Trusted:
    """The place of a block that the reader knows in the tip's history; of genesis, if it knows none or the tip itself."""
    height = Height(0) if trust is None else chain.height_of(trust)
    if height is None:
        assert trust is not None, "genesis has a height"
        raise NodeError(NOT_MY_CHAIN, hash=trust[::-1].hex())
    known = chain.header_at(Height(0) if height == chain.tip.height else height)
    return Trusted(
        height=known.height,
        hash=known.hash,
        work=known.work.to_bytes(32, "big"),
        effective_time=known.difficulty.effective_time,
        path=chain.history_path(known.height),
    )
