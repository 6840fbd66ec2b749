"""What people send in a simulation: a shop with members who earn, redeem and back campaigns, and coin that changes hands."""

import random

from ledger.domains.accounts.transfer import ToAccount, ToPool, Transfer
from ledger.domains.consent.consent_grant import ConsentGrant
from ledger.domains.consent.consent_revoke import ConsentRevoke
from ledger.domains.consent.state import PERSONALISE
from ledger.domains.loyalty.earn import Earn, SealedEntry
from ledger.domains.loyalty.issuer_grant import IssuerGrant
from ledger.domains.loyalty.member_join import MemberJoin
from ledger.domains.loyalty.program_create import ProgramCreate
from ledger.domains.loyalty.state import SCOPES_ALL
from ledger.domains.rewards.redeem import Redeem
from ledger.domains.rewards.reward_list import RewardList
from ledger.hashing import object_id
from ledger.params import Params
from ledger.transaction import Prepaid, Sponsored, Transaction
from ledger.types import INTEGER_MAX, Address, Amount, Height, Points, ProgramId, RewardId, Timestamp
from tests.support.memory_chain import Scenario, Signer
from tests.support.shop import FAN, FRIEND, OWNER, POOL, STRANGER, TILL, make_terms, some_hash

FANS = (FAN, FRIEND, STRANGER)
EVERYBODY = (OWNER, TILL, *FANS)


class People:
    """Signs transactions for the next blocks; whether they are valid where they arrive is another matter."""

    def __init__(self, params: Params, rng: random.Random) -> None:
        self._scenario = Scenario(params=params)
        self._rng = rng
        self._params = params
        self._program: ProgramId | None = None
        self._reward: RewardId | None = None
        self._step = 0

    def sign(self, height: int, kind: str, payload: object, author: Signer, **options: object) -> Transaction:
        """A signed transaction that is valid for a while from below `height` on."""
        begin = max(1, height - 5)
        window = {
            "valid_from": Height(begin),
            "valid_until": Height(begin + self._params.validity_blocks_max - 1),
        }
        return self._scenario.sign(kind, payload, author=author, **{**window, **options})

    def next(self, height: int, day: int) -> Transaction:
        """What somebody does now, at about this height and on this day."""
        self._step += 1
        if self._program is None:
            payload = ProgramCreate("Corner Shop", "point", 0, 0, make_terms())
            transaction = self.sign(height, "program.create", payload, OWNER)
            self._program = ProgramId(object_id("program", transaction.txid, 0))
            return transaction
        return self._set_up(height, self._program) or self._live(height, day, self._program)

    def _set_up(self, height: int, program: ProgramId) -> Transaction | None:
        """The first steps of a shop."""
        if self._step == 2:
            return self.sign(height, "transfer", Transfer(ToPool(program), Amount(POOL)), OWNER)
        if self._step == 3:
            payload = IssuerGrant(program, TILL.address, SCOPES_ALL, Points(INTEGER_MAX))
            return self.sign(height, "issuer.grant", payload, OWNER)
        if self._step == 4:
            transaction = self.sign(height, "reward.list", RewardList(program, "Tea", Points(10), 1_000), OWNER)
            self._reward = RewardId(object_id("reward", transaction.txid, 0))
            return transaction
        return None

    def _live(self, height: int, day: int, program: ProgramId) -> Transaction:
        fan = self._rng.choice(FANS)
        what = self._rng.random()
        if what < 0.5:
            other = self._rng.choice(EVERYBODY)
            amount = Amount(self._rng.randrange(1_000, 100_000))
            return self.sign(
                height, "transfer", Transfer(ToAccount(other.address), amount), self._rng.choice(EVERYBODY)
            )
        if what < 0.6:
            payload = MemberJoin(program, Address(b""))
            return self.sign(height, "member.join", payload, fan)
        if what < 0.8:
            points = self._rng.randrange(1, 400)
            seal = some_hash("receipts", self._step)
            entry = SealedEntry(fan.address, day, Points(points), seal, some_hash("remainder", self._step))
            return self.sign(height, "earn", Earn(program, (entry,)), TILL)
        if what < 0.9 and self._reward is not None:
            payload = Redeem(program, self._reward, self._rng.randrange(1, 3), Points(1_000))
            return self.sign(height, "redeem", payload, fan, payment=Sponsored(program))
        if what < 0.95:
            return self.sign(height, "consent.grant", ConsentGrant(program, PERSONALISE, "", Timestamp(0)), fan)
        return self.sign(height, "consent.revoke", ConsentRevoke(program, PERSONALISE, ""), fan, payment=Prepaid())
