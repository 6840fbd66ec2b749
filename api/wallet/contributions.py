"""Missions and contributions at both ends: the brand signs a slip for what a fan did, the fan puts it on record (spec MIS)."""

import secrets

from api.wallet.errors import WalletError
from api.wallet.wallet import OWN_FEE, POOL, Sent, Wallet
from ledger.domains.voice.contribution_credit import CampaignProduct, ContributionCredit, RewardProduct
from ledger.domains.voice.contribution_record import ContributionRecord
from ledger.domains.voice.contributions import (
    SLIP_VERSION,
    ContributionSlip,
    SignedSlip,
    sign_slip,
    slip_is_signed,
)
from ledger.domains.voice.mission_create import MissionCreate
from ledger.errors import Code
from ledger.keys import public_key_of
from ledger.transaction import Payment, Sponsored
from ledger.types import Address, CampaignId, ContributionId, Hash, MissionId, ProgramId, RewardId, Timestamp

NOT_SIGNED = Code(
    "slip.not_signed",
    "this slip was not signed by the key that it names, or not for this chain",
    "Ask the brand for it again.",
)
NOT_YOURS = Code(
    "slip.not_yours",
    "this slip is for {fan}, and this wallet's account there is {account}",
    "Open the wallet that it is for.",
)
NO_MISSION = MissionId(b"")


class Missions:
    """The brand's side of a wallet: its main account owns the program, or holds the scope to record."""

    def __init__(self, wallet: Wallet, *, payment: str = POOL) -> None:
        self.wallet = wallet
        self._payment = payment

    def _pay(self, program: ProgramId) -> Payment | None:
        return Sponsored(program) if self._payment != OWN_FEE else None

    def create(self, program: ProgramId, title: str, *, text: Hash, until: Timestamp, places: int = 0) -> Sent:
        """Ask fans to help; `places` 0 is no limit. The id is `sent.object_id("mission")`."""
        payload = MissionCreate(program, title, text, until, places)
        return self.wallet.send("mission.create", payload, self.wallet.main, payment=self._pay(program))

    def sign_slip(
        self,
        program: ProgramId,
        fan: Address,
        *,
        role: int,
        work: Hash,
        time: Timestamp,
        mission: MissionId = NO_MISSION,
    ) -> SignedSlip:
        """The slip that a fan records. No network is needed but for the chain's id."""
        seed = self.wallet.main.seed
        slip = ContributionSlip(
            version=SLIP_VERSION,
            program=program,
            fan=fan,
            mission=mission,
            role=role,
            work=work,
            issuer=public_key_of(seed),
            time=time,
            salt=secrets.token_bytes(32),
        )
        return sign_slip(slip, self.wallet.facts.chain_id, seed)

    def credit(
        self, program: ProgramId, contribution: ContributionId, product: CampaignId | RewardId, *, is_campaign: bool
    ) -> Sent:
        """Say what came of a contribution, for good."""
        named = CampaignProduct(CampaignId(product)) if is_campaign else RewardProduct(RewardId(product))
        payload = ContributionCredit(contribution, named)
        return self.wallet.send("contribution.credit", payload, self.wallet.main, payment=self._pay(program))


def record_contribution(wallet: Wallet, signed: SignedSlip, *, pay_own: bool = False) -> Sent:
    """Put a slip on record by the account that it is for. Raises WalletError slip.* before anything is sent."""
    slip = signed.slip
    if not slip_is_signed(signed, wallet.facts.chain_id):
        raise WalletError(NOT_SIGNED)
    fan = wallet.program_signer(slip.program)
    if fan.address != slip.fan:
        raise WalletError(NOT_YOURS, fan=wallet.address_text(slip.fan), account=wallet.address_text(fan.address))
    payload = ContributionRecord(slip, signed.signature)
    return wallet.send("contribution.record", payload, fan, payment=None if pay_own else Sponsored(slip.program))
