"""What a creator does: ask fans to back a product. Signed and paid by a main account."""

from collections.abc import Sequence

from api.wallet.wallet import Sent, Wallet
from ledger.domains.crowdfunding.terms import CampaignTerms, CoinUnit, PointsUnit, Tier
from ledger.types import ProgramId, Timestamp


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
        """Open an all-or-nothing campaign in coin, or in the points of a `program` that this account owns.

        A tier is (title, least pledge, how many may take it; 0 is no limit). The id is `sent.object_id("campaign")`.
        """
        unit = CoinUnit() if program is None else PointsUnit(program)
        payload = CampaignTerms(title, unit, goal, deadline, tuple(tiers))
        return self.wallet.send("campaign.create", payload, self.wallet.main)
