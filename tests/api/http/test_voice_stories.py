"""Votes as people live them, over HTTP: recounted by a stranger, voted twice, too late, sealed, forgotten, met with silence."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import time_machine
from starlette.testclient import TestClient

from api.http.app import create_app
from api.http.schemas.proposals import BallotsAnswer, PowerAnswer, PromisesAnswer, ProposalAnswer, ProposalsAnswer
from api.http.settings import HttpSettings
from api.wallet.client import Client
from api.wallet.creator import Creator
from api.wallet.enrolment import JoinRequest
from api.wallet.errors import ClientProblem, WalletError
from api.wallet.mnemonic import derive_master_seed
from api.wallet.proposal_claims import fetch_claim
from api.wallet.remote_chain import RemoteChain
from api.wallet.texts import fetch_text, new_document, publish_text
from api.wallet.voice import BAD_POWER, Asker, Voter, hash_evidence
from api.wallet.wallet import Wallet
from ledger.block import Block
from ledger.domains.loyalty.state import member_key
from ledger.domains.voice.proposal_create import ProposalCreate
from ledger.domains.voice.state import APPROVAL, OPENLY, RANKED, SEALED, SINGLE, EachMember, EarnedPoints, PledgedTo
from ledger.domains.voice.texts import TextDocument, text_hash
from ledger.types import Address, BlockHash, CampaignId, Hash, Height, ProgramId, ProposalId, Timestamp
from node.recount import Recount, recount
from tests.support.market import Market
from tests.support.memory_chain import DAY_SECONDS
from tests.support.wallet_node import open_wallet_node

FRIEND_PHRASE = "zoo " * 11 + "wrong"
WHOLE, BECAUSE = new_document("Which bread shall we bake from May on?"), new_document("You asked for spelt.")
WHY = text_hash(BECAUSE)


class Town(Market):
    """A shop whose members are the fan, a friend, and the people behind the till and the owner's desk."""

    def __init__(self, node: Any) -> None:
        super().__init__(node)
        self.friend = Wallet(derive_master_seed(FRIEND_PHRASE), node.client)
        self.voters = [Voter(wallet) for wallet in (self.fan, self.friend, self.till.wallet, self.owner.wallet)]
        self.asker = Asker(self.owner.wallet)
        for voter in self.voters[:3]:
            self.let_in(voter)

    def let_in(self, voter: Voter) -> None:
        """Join by an invitation; the pool pays."""
        request = voter.wallet.answer_invitation(self.till.invite(self.program))
        self.done(self.till.enrol(self.program, JoinRequest.from_json(request.to_json())))

    @property
    def now(self) -> int:
        return self.node.chain.time

    def ask(
        self, *options: str, reveal_days: int = 0, method: int = SINGLE, weight: Any = None, quorum: int = 2
    ) -> ProposalId:
        """A question for two days."""
        until = Timestamp(self.now + 2 * DAY_SECONDS)
        draft = ProposalCreate(
            program=self.program,
            title="Which bread?",
            text=text_hash(WHOLE),
            options=options or ("rye", "spelt"),
            method=method,
            mode=SEALED if reveal_days else OPENLY,
            weight=weight or EachMember(),
            quorum=quorum,
            voting_until=until,
            reveal_until=Timestamp(until + reveal_days * DAY_SECONDS if reveal_days else 0),
        )
        return ProposalId(self.done(self.asker.propose(draft)).object_id("proposal"))

    def cast(self, voter: Voter, proposal: ProposalId, *choice: str) -> None:
        self.done(voter.cast(proposal, voter.choose(voter.read(proposal), choice)))

    def read(self, proposal: ProposalId) -> dict[str, Any]:
        answer = dict(self.node.client.proposals.one(proposal))
        ProposalAnswer.model_validate(answer, strict=True)
        return answer

    def address(self, voter: Voter) -> str:
        return voter.wallet.address_text(voter.wallet.program_signer(self.program).address)

    def pass_days(self, days: int) -> None:
        self.node.chain.advance(days=days, blocks=8)
        self.node.mine(2)

    def recount(self, proposal: ProposalId, source: Any = None, **changes: Any) -> Recount:
        """What a stranger finds who has this node's blocks, and what it says."""
        client = self.node.client
        prefix = self.node.chain.params.address_prefix
        claim = replace(fetch_claim(client, proposal, prefix), **changes)
        return recount(source or RemoteChain(client), self.node.chain.params, proposal, claim)


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    with open_wallet_node(tmp_path / "node") as node:
        yield Town(node)


def refusal(problem: pytest.ExceptionInfo[ClientProblem]) -> str:
    return problem.value.code


class Tampered:
    """A source that passes another's blocks on, one of them changed."""

    def __init__(self, source: RemoteChain, change: Any) -> None:
        self.genesis: BlockHash | None = source.genesis
        self.height: Height = source.height
        self.tip: BlockHash | None = source.tip
        self._source, self._change = source, change

    def blocks(self) -> Iterator[bytes]:
        yield from map(self._change, self._source.blocks())


def test_a_stranger_counts_again_and_a_missing_ballot_is_noticed(town: Town) -> None:
    fan, friend, till, _ = town.voters
    proposal = town.ask("rye", "spelt", "wheat", method=RANKED)
    town.cast(fan, proposal, "spelt", "rye")
    town.cast(friend, proposal, "rye", "spelt", "wheat")
    town.cast(till, proposal, "1")
    found = town.recount(proposal)
    assert (found.problems, found.count.counted, found.count.leaders()) == ([], 3, (1,))
    shown = town.read(proposal)
    assert shown["tally"]["pairwise"] == [[0, 1, 2], [2, 0, 3], [0, 0, 0]]
    assert '"spelt" leads; 3 voters of 3' in shown["tally"]["in_words"]
    victim = friend.wallet.program_signer(town.program).address

    def without(raw: bytes) -> bytes:
        block = Block.decode(raw)
        kept = [place for place, tx in enumerate(block.transactions) if not (proposal in tx and victim in tx)]
        if len(kept) == len(block.transactions):
            return raw
        transactions, results = (tuple(part[place] for place in kept) for part in (block.transactions, block.results))
        return replace(block, transactions=transactions, results=results).encode()

    def changed(raw: bytes) -> bytes:
        block = Block.decode(raw)
        swapped = tuple(
            tx.replace(proposal + b"\x93\x00\x01\x02", proposal + b"\x93\x02\x01\x00") for tx in block.transactions
        )
        return replace(block, transactions=swapped).encode()

    stolen = town.recount(proposal, Tampered(RemoteChain(town.node.client), without))
    codes = [problem.code for problem in stolen.problems]
    assert codes[:2] == ["recount.block", "recount.missing"]
    assert victim.hex() in stolen.problems[1].text
    swapped = town.recount(proposal, Tampered(RemoteChain(town.node.client), changed))
    assert [problem.code for problem in swapped.problems][:2] == ["recount.block", "recount.changed"]
    assert victim.hex() in swapped.problems[1].text
    claim = fetch_claim(town.node.client, proposal, town.node.chain.params.address_prefix)
    hidden = {voter: ballot for voter, ballot in claim.ballots.items() if voter != victim}
    left_out = town.recount(proposal, ballots=hidden)
    assert [problem.code for problem in left_out.problems] == ["recount.unlisted"]
    lied = town.recount(proposal, figures={**claim.figures, "counted": 2})
    assert [problem.code for problem in lied.problems] == ["recount.tally"]


def test_who_votes_twice_or_came_late_is_refused(town: Town) -> None:
    fan, friend, _, owner = town.voters
    proposal = town.ask()
    town.cast(fan, proposal, "rye")
    with pytest.raises(ClientProblem) as twice:
        town.cast(fan, proposal, "spelt")
    assert refusal(twice) == "ballot.already"
    town.let_in(owner)
    with pytest.raises(ClientProblem) as late:
        town.cast(owner, proposal, "rye")
    assert refusal(late) == "power.unknown"
    with pytest.raises(WalletError, match="none of the proposal's options"):
        town.cast(friend, proposal, "barley")
    ballots = town.node.client.proposals.ballots(proposal)
    BallotsAnswer.model_validate(ballots, strict=True)
    assert [(item["voter"], item["choice"], item["power"]) for item in ballots["items"]] == [
        (town.address(fan), [0], 1)
    ]
    power = town.node.client.proposals.power(proposal, town.address(fan))
    PowerAnswer.model_validate(power, strict=True)
    assert power["has_voted"]
    town.pass_days(3)
    with pytest.raises(ClientProblem) as over:
        town.cast(friend, proposal, "rye")
    assert refusal(over) == "power.voting_over"
    assert town.read(proposal)["status"] == "ended"


def test_a_node_that_shows_another_snapshot_is_not_believed(town: Town, monkeypatch: pytest.MonkeyPatch) -> None:
    fan = town.voters[0]
    proposal = town.ask()
    calls = town.node.client.proposals
    real = dict(calls.power(proposal, town.address(fan)))
    real["proofs"] = [{**real["proofs"][0], "path": ["00" * 32, *real["proofs"][0]["path"][1:]]}]
    monkeypatch.setattr(calls, "power", lambda *_: real)
    with pytest.raises(WalletError) as refused:
        fan.power(proposal)
    assert refused.value.code is BAD_POWER


def test_a_brand_that_stays_silent(town: Town) -> None:
    fan, friend, *_ = town.voters
    proposal = town.ask(method=APPROVAL)
    for voter in (fan, friend):
        town.cast(voter, proposal, "spelt", "rye")
    town.pass_days(3)
    assert town.read(proposal)["answer_in_words"].startswith("The owner owes an answer until")
    town.pass_days(31)
    shown = town.read(proposal)
    assert shown["status"] == "silent"
    assert shown["answer_in_words"].startswith("The owner stayed silent")
    promises = town.node.client.proposals.promises_of_program(town.program)
    PromisesAnswer.model_validate(promises, strict=True)
    assert promises["counts"] == {"silent": 1}
    assert promises["items"][0]["details"] == {
        "binding": False,
        "counted": 2,
        "quorum": 2,
        "text": text_hash(WHOLE).hex(),
        "why": None,
        "winner": "rye",
    }
    with pytest.raises(ClientProblem) as late:
        town.done(town.asker.decline(proposal, why=WHY))
    assert refusal(late) == "proposal.answer_late"


def test_what_was_promised_and_done_19_days_late_is_on_record(town: Town) -> None:
    fan, friend, *_ = town.voters
    proposal = town.ask()
    for voter in (fan, friend):
        town.cast(voter, proposal, "spelt")
    town.pass_days(3)
    due = Timestamp(town.now + 10 * DAY_SECONDS)
    town.done(town.asker.adopt(proposal, due_at=due, why=WHY))
    assert town.read(proposal)["obligation"]["status"] == "open"
    town.node.chain.advance(seconds=int(due) - town.now + 19 * DAY_SECONDS - 120, blocks=8)
    town.done(town.asker.fulfil(proposal, evidence=hash_evidence(b"a photo")))
    shown = town.read(proposal)
    assert (shown["obligation"]["status"], shown["obligation"]["days_late"]) == ("late", 19)
    owner = town.owner.wallet.address_text(town.owner.wallet.main.address)
    promises = town.node.client.proposals.promises_of_account(owner)
    assert [(item["state"], item["days_late"]) for item in promises["items"]] == [("late", 19)]
    page = town.node.client.proposals.of_program(town.program)
    ProposalsAnswer.model_validate(page, strict=True)
    assert page["items"] == town.node.client.proposals.all()["items"] == [shown]


def test_a_stranger_reads_what_was_asked_and_why_it_was_answered_so(town: Town) -> None:
    fan, friend, *_ = town.voters
    client = town.node.client
    with pytest.raises(ClientProblem) as unasked:
        publish_text(client, WHOLE)
    assert refusal(unasked) == "text.not_named"
    proposal = town.ask()
    assert publish_text(client, WHOLE) and not publish_text(client, WHOLE)
    for voter in (fan, friend):
        town.cast(voter, proposal, "spelt")
    town.pass_days(3)
    with pytest.raises(ClientProblem) as early:
        publish_text(client, BECAUSE)
    assert refusal(early) == "text.not_named"
    town.done(town.asker.adopt(proposal, due_at=Timestamp(town.now + 10 * DAY_SECONDS), why=WHY))
    with pytest.raises(ClientProblem) as missing:
        fetch_text(client, WHY)
    assert refusal(missing) == "text.missing"
    assert publish_text(client, BECAUSE)
    with TestClient(create_app(town.node.chain.node, HttpSettings())) as stranger:
        shown = stranger.get(f"/v1/proposals/{proposal.hex()}").json()
        assert (shown["text"], shown["why"]) == (text_hash(WHOLE).hex(), WHY.hex())
        (promise,) = stranger.get(f"/v1/programs/{town.program.hex()}/promises").json()["items"]
        assert (promise["details"]["text"], promise["details"]["why"]) == (shown["text"], shown["why"])
        for named, document in ((shown["text"], WHOLE), (shown["why"], BECAUSE)):
            found = stranger.get(f"/v1/texts/{named}").json()
            read = TextDocument(bytes.fromhex(found["salt"]), found["content"])
            assert (text_hash(read).hex(), read.text) == (named, document.text)
    with time_machine.travel(town.node.chain.clock.now(), tick=False):
        own = json.loads(client.export_own(town.owner.wallet.main_owner()))["texts"]
    assert {(row["text"], row["content"]) for row in own} == {
        (text_hash(document).hex(), document.text) for document in (WHOLE, BECAUSE)
    }
    for wallet, erased in ((town.fan, 0), (town.owner.wallet, 1)):
        with time_machine.travel(town.node.chain.clock.now(), tick=False):
            assert client.reviews.erase_text(wallet.main_owner(), WHY)["erased"] == erased
    with pytest.raises(ClientProblem) as erased_twice:
        publish_text(client, BECAUSE)
    assert refusal(erased_twice) == "text.erased"


def test_sealed_votes_nobody_can_read_and_a_forgotten_one_that_the_node_opens(town: Town) -> None:
    fan, friend, till, _ = town.voters
    client = town.node.client
    proposal = town.ask(reveal_days=1)
    choices = {fan: (1,), friend: (1,), till: (0,)}
    for voter, choice in choices.items():
        town.done(voter.commit(proposal, choice))
    with pytest.raises(ClientProblem) as wrong:
        fan.hand_over(fan.opening(proposal, (0,)))
    assert refusal(wrong) == "ballot.wrong_opening"
    assert fan.hand_over(fan.opening(proposal, (1,)))["is_new"]
    assert not fan.hand_over(fan.opening(proposal, (1,)))["is_new"]
    with pytest.raises(ClientProblem) as early:
        town.done(friend.reveal(friend.opening(proposal, (1,))))
    assert refusal(early) == "ballot.too_early"
    shown, ballots = town.read(proposal), client.proposals.ballots(proposal)["items"]
    assert [item["choice"] for item in ballots] == [None, None, None]
    assert shown["tally"]["options"] == [{"number": n, "text": t, "power": 0} for n, t in enumerate(("rye", "spelt"))]
    assert "under seal" in shown["tally"]["in_words"]
    town.node.chain.advance(days=2, blocks=8)
    town.node.mine(3)
    assert town.read(proposal)["status"] == "revealing"
    assert [item["choice"] for item in client.proposals.ballots(proposal)["items"]] == [[1], None, None]
    town.done(friend.reveal(friend.opening(proposal, (1,))))
    town.pass_days(2)
    shown = town.read(proposal)
    assert (shown["status"], shown["tally"]["counted"], shown["tally"]["abstained"]) == ("ended", 2, 1)
    assert "1 stayed sealed and abstained" in shown["tally"]["in_words"]
    assert shown["tally"]["winner"] == 1
    found = town.recount(proposal)
    assert (found.problems, found.committed, found.count.counted) == ([], 3, 2)
    with pytest.raises(ClientProblem) as over:
        till.hand_over(till.opening(proposal, (0,)))
    assert refusal(over) == "ballot.reveal_over"


def test_a_node_that_was_stopped_opens_what_it_kept(town: Town) -> None:
    fan = town.voters[0]
    proposal = town.ask(reveal_days=1)
    town.done(fan.commit(proposal, (0,)))
    fan.hand_over(fan.opening(proposal, (0,)))
    chain = town.node.chain
    services = town.node.client._http.app.state.services  # type: ignore[attr-defined] # the test client's application
    services.openings._waiting.clear()  # as if it had forgotten what was in memory
    chain.advance(days=2, blocks=8)
    chain.mine(2)
    assert town.read(proposal)["tally"]["counted"] == 0
    with TestClient(create_app(chain.node, HttpSettings(rate_limited=False)), base_url="http://again") as http:
        again = Client("http://again", http=http, sleep=lambda _: chain.mine_block())
        chain.mine(2)
        assert again.proposals.one(proposal)["tally"]["counted"] == 1


def test_backers_bind_the_creator(town: Town) -> None:
    fan, _, till, owner = town.voters
    deadline = Timestamp(town.now + 60 * DAY_SECONDS)
    made = town.done(Creator(town.owner.wallet).create_campaign("An oven", goal=10**6, deadline=deadline))
    campaign = CampaignId(made.object_id("campaign"))
    for quantity in (700, 50):
        town.done(till.wallet.pledge(campaign, quantity))
    town.done(town.owner.wallet.pledge(campaign, 9_000))
    proposal = town.ask("now", "later", weight=PledgedTo(campaign))
    assert town.read(proposal)["binding"]
    assert till.power(proposal)["power"] == 750
    for voter, reason in ((fan, "it was not there"), (owner, "creator has no vote")):
        with pytest.raises(ClientProblem, match=reason) as refused:
            voter.power(proposal)
        assert refusal(refused) == "power.unknown"
    town.cast(till, proposal, "later")
    assert town.read(proposal)["tally"]["concentration"]["largest_share_per_mille"] == 1_000
    town.pass_days(3)
    with pytest.raises(ClientProblem) as few:
        town.done(town.asker.adopt(proposal, due_at=Timestamp(town.now - 1), why=WHY))
    assert refusal(few) == "obligation.due"
    town.done(town.asker.decline(proposal, why=WHY))  # one ballot of the two that the quorum asks for
    assert town.read(proposal)["status"] == "declined"
    assert town.recount(proposal).problems == []
    binding = town.ask("now", "later", weight=PledgedTo(campaign), quorum=1)
    town.cast(till, binding, "now")
    town.pass_days(3)
    with pytest.raises(ClientProblem) as bound:
        town.done(town.asker.decline(binding, why=WHY))
    assert refusal(bound) == "proposal.binding"
    due = Timestamp(town.now + 5 * DAY_SECONDS)
    town.done(town.asker.adopt(binding, due_at=due, why=WHY, product=Hash(campaign)))
    shown = town.read(binding)
    assert (shown["status"], shown["obligation"]["product"]) == ("adopted", campaign.hex())
    creator = town.owner.wallet.address_text(town.owner.wallet.main.address)
    kinds = [item["kind"] for item in town.node.client.proposals.promises_of_account(creator)["items"]]
    assert kinds == ["campaign", "proposal", "proposal"]


def test_points_vote_with_a_cap(town: Town, tmp_path: Path) -> None:
    fan = town.voters[0]
    town.settle(tmp_path / "book.json", town.buy(50_000))
    town.pass_days(40)
    proposal = town.ask(weight=EarnedPoints(30))
    power = fan.power(proposal)
    earned = town.node.chain.record(member_key(ProgramId(town.program), Address(town.member))).earned
    assert power["power"] == min(30, earned) > 0
    town.cast(fan, proposal, "rye")
    shown = town.read(proposal)["tally"]
    assert shown["concentration"]["effective_voters_hundredths"] == 100
    assert town.recount(proposal).problems == []
