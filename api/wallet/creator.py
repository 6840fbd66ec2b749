"""What a creator does: ask fans to back a product, show what was done, and answer for it. Signed and paid by a main account."""

from base64 import b64decode
from collections.abc import Iterator, Sequence
from dataclasses import replace

from api.wallet.builder import draft_body, new_salt
from api.wallet.client import Answer
from api.wallet.delivery_forms import open_form
from api.wallet.errors import WalletError
from api.wallet.together import Party, Together
from api.wallet.wallet import Sent, Wallet
from ledger.domains.crowdfunding.campaign_cancel import CampaignCancel
from ledger.domains.crowdfunding.campaign_post_update import CampaignPostUpdate
from ledger.domains.crowdfunding.milestone_submit import MilestoneSubmit
from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit, PointsUnit, Tier
from ledger.policy import Policy
from ledger.types import Address, CampaignId, Hash, ProgramId, Timestamp


class Creator:
    """A creator's side of a wallet."""

    def __init__(self, wallet: Wallet) -> None:
        self.wallet = wallet

    def create_campaign(
        self,
        title: str,
        *,
        goal: int,
        deadline: Timestamp,
        tiers: Sequence[Tier] = (),
        program: ProgramId | None = None,
    ) -> Sent:
        """Open an all-or-nothing campaign in coin, or in the points of a `program` that this account owns, released at once.

        A tier is (title, least pledge, how many may take it; 0 is no limit). The id is `sent.object_id("campaign")`.
        """
        unit = CoinUnit() if program is None else PointsUnit(program)
        return self.publish(CampaignTerms(title, unit, goal, deadline, tuple(tiers)))

    def publish(self, terms: CampaignTerms) -> Sent:
        """Open a campaign with these terms. The id is `sent.object_id("campaign")`. Raises Malformed campaign.*."""
        return self.wallet.send("campaign.create", terms, self.wallet.main)

    def ask_licence(self, terms: CampaignTerms, program: ProgramId, policy: Policy) -> Together:
        """A campaign in the points of another one's program: signed by this account, to be co-signed by the program's owner.

        `policy` are the owner's keys. The owner signs and sends it with `fansumer wallet together`.
        """
        wallet, facts = self.wallet, self.wallet.facts
        owner = wallet.read_address(wallet.client.program(program)["owner"])
        licensed = replace(terms, unit=PointsUnit(program, owner))
        author, valid_from = wallet.main, wallet.next_height()
        body_bytes = draft_body(
            facts,
            "campaign.create",
            licensed,
            author.address,
            policies=(author.shown_policy(), policy),
            valid_from=valid_from,
            valid_until=facts.valid_until(valid_from, facts.validity_blocks_max),
            payment=None,
            salt=new_salt(),
        )
        parties = (Party(author.address, author.shown_policy()), Party(Address(owner), policy))
        return Together.of_body(facts.chain_id, facts.address_prefix, body_bytes, parties).sign((author,))

    def cancel(self, campaign: CampaignId) -> Sent:
        """Give a campaign up: what is still in escrow goes back to its backers."""
        return self.wallet.send("campaign.cancel", CampaignCancel(campaign), self.wallet.main)

    def post_update(self, campaign: CampaignId, text_hash: Hash) -> Sent:
        """Tell the backers something: the hash of a text (spec TXT-1), which `texts.publish_text` brings to the node."""
        return self.wallet.send("campaign.post_update", CampaignPostUpdate(campaign, text_hash), self.wallet.main)

    def submit(self, campaign: CampaignId, evidence: Hash, *, step: int | None = None) -> Sent:
        """Show the present step, or `step`, as done; the backers vote on it. `evidence` is the SHA-256 of what shows it."""
        wanted = self.present_step(campaign) if step is None else step
        return self.wallet.send("milestone.submit", MilestoneSubmit(campaign, wanted, evidence), self.wallet.main)

    def present_step(self, campaign: CampaignId) -> int:
        """The first step that was not accepted; the last one where all were."""
        steps: list[Answer] = self.wallet.client.campaign(campaign)["steps"]
        return next((int(step["step"]) for step in steps if step["state"] != "accepted"), len(steps) - 1)

    def delivery_forms(self, campaign: CampaignId) -> Iterator[tuple[Answer, str]]:
        """Every delivery form of a campaign, opened: (what the node says of it, its text).

        One that this wallet can't open has an empty text.
        """
        read = self.wallet.client.backing.forms
        for item in self.wallet.client.every(read, campaign, self.wallet.main_owner()):
            yield item, self._open(campaign, item)

    def _open(self, campaign: CampaignId, item: Answer) -> str:
        try:
            return open_form(self.wallet, campaign, int(item["number"]), b64decode(item["form"]))
        except WalletError:
            return ""

    def drop_form(self, campaign: CampaignId, number: int) -> Answer:
        """Delete the delivery form of a pledge at the node, when the parcel is on its way."""
        return self.wallet.client.backing.drop_form(self.wallet.main_owner(), campaign, number)
