"""What a backer does with its pledges: change and take them back, vote on what the creator shows, and leave.

In coin the main account acts; in points the account for the program, whose pool may pay.
"""

from collections.abc import Sequence
from typing import Any

from api.wallet.builder import Signer
from api.wallet.client import Answer
from api.wallet.delivery_forms import seal_form
from api.wallet.request_signing import AccountSigner
from api.wallet.wallet import POOL, Sent, Wallet
from ledger.domains.crowdfunding.delivery_confirm import DeliveryConfirm
from ledger.domains.crowdfunding.milestone_vote import MilestoneVote
from ledger.domains.crowdfunding.pledge import PledgeMake
from ledger.domains.crowdfunding.pledge_cancel import PledgeCancel
from ledger.domains.crowdfunding.pledge_change import PledgeChange
from ledger.domains.crowdfunding.pledge_withdraw import PledgeWithdraw
from ledger.domains.crowdfunding.state import ChosenAddOn
from ledger.transaction import Payment, Prepaid, Sponsored
from ledger.types import CampaignId, ProgramId


class Backer:
    """A backer's side of a wallet. `payment` POOL: the pool of the campaign's program pays, where it collects points.

    `program` is whose points the campaigns collect; without it the node is asked.
    """

    def __init__(self, wallet: Wallet, *, payment: str = POOL, program: ProgramId | None = None) -> None:
        self.wallet = wallet
        self._payment = payment
        self._named = program
        self._programs: dict[CampaignId, ProgramId | None] = {}

    def pledge(
        self,
        campaign: CampaignId,
        quantity: int,
        *,
        tier: int = 0,
        add_ons: Sequence[ChosenAddOn] = (),
        late: bool = False,
    ) -> Sent:
        """Back a campaign, with add-ons (which, how many); `late` after its deadline, where it takes late pledges."""
        payload = PledgeMake(campaign, quantity, tier, tuple(sorted(add_ons)))
        return self._send("pledge.late" if late else "pledge", campaign, payload)

    def change(
        self,
        campaign: CampaignId,
        number: int,
        quantity: int,
        *,
        tier: int = 0,
        add_ons: Sequence[ChosenAddOn] = (),
    ) -> Sent:
        """Make a pledge what it is to be, before the deadline."""
        payload = PledgeChange(campaign, number, quantity, tier, tuple(sorted(add_ons)))
        return self._send("pledge.change", campaign, payload)

    def cancel(self, campaign: CampaignId, number: int) -> Sent:
        """Take a pledge back before the deadline, or end its record after the campaign's end; without a fee."""
        return self._send("pledge.cancel", campaign, PledgeCancel(campaign, number), payment=Prepaid())

    def withdraw(self, campaign: CampaignId, number: int) -> Sent:
        """Take this pledge's part of what is not released, after it voted no; without a fee."""
        return self._send("pledge.withdraw", campaign, PledgeWithdraw(campaign, number), payment=Prepaid())

    def vote(self, campaign: CampaignId, number: int, *, approves: bool) -> Sent:
        """Say whether a milestone was reached."""
        return self._send("milestone.vote", campaign, MilestoneVote(campaign, number, approves))

    def confirm_delivery(self, campaign: CampaignId, number: int, *, received: bool) -> Sent:
        """Say whether what was promised has arrived."""
        return self._send("delivery.confirm", campaign, DeliveryConfirm(campaign, number, received))

    def send_form(self, campaign: CampaignId, number: int, text: str) -> Answer:
        """Tell the creator where to send it: encrypted to its key, kept by the node until one of the two deletes it.

        Raises WalletError delivery_form.not_taken, .too_long, .key.
        """
        key = bytes.fromhex(self.wallet.client.campaign(campaign)["delivery_key"] or "")
        form = seal_form(key, campaign, number, text)
        return self.wallet.client.backing.put_form(self._owner(campaign), campaign, number, form)

    def drop_form(self, campaign: CampaignId, number: int) -> Answer:
        """Delete the delivery form of a pledge at the node."""
        return self.wallet.client.backing.drop_form(self._owner(campaign), campaign, number)

    def _owner(self, campaign: CampaignId) -> AccountSigner:
        program = self._program(campaign)
        return self.wallet.main_owner() if program is None else self.wallet.owner(program)

    def account(self, campaign: CampaignId) -> Signer:
        """The account that backs this campaign: the main one, or the one for the program whose points it collects."""
        program = self._program(campaign)
        return self.wallet.main if program is None else self.wallet.program_signer(program)

    def _program(self, campaign: CampaignId) -> ProgramId | None:
        if self._named is not None:
            return self._named
        if campaign not in self._programs:
            self._programs[campaign] = self.wallet.program_of_campaign(campaign)
        return self._programs[campaign]

    def _send(self, kind: str, campaign: CampaignId, payload: Any, *, payment: Payment | None = None) -> Sent:
        program = self._program(campaign)
        if payment is None and program is not None and self._payment == POOL:
            payment = Sponsored(program)
        return self.wallet.send(kind, payload, self.account(campaign), payment=payment)
