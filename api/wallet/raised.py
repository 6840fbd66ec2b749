"""What a fan raised, as a file of proofs: what its pledges, votes, work and words led to (spec PRF). Anybody checks it offline.

Everything that is told of it is read from the proven records and transactions, never from what a node says besides them.
"""

import json
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any, Final

from api.wallet.client import Client
from api.wallet.errors import WalletError
from api.wallet.raised_facts import Fact, tell_fact
from ledger.errors import Code
from ledger.proofs import ProofReport, check_proof, read_proof
from ledger.types import Address, BlockHash, ChainId, TxId

FORMAT: Final = "fansumer-raised-1"
PROOFS_MAX: Final = 2_000
"""Proofs in one file, and looked for at a node: more than one person pledges, votes and writes in years."""
FILE_BYTES_MAX: Final = 64 * 2**20

NOT_A_FILE = Code("raised.file", "this is no file of what a fan raised: {reason}", "Ask the fan for the file again.")
MIXED = Code(
    "raised.other_chain",
    "proof {number} is of another chain than the first",
    "What two chains show does not belong in one file.",
)
TOO_MANY = Code(
    "raised.too_many",
    "there is more than the {maximum} proofs that one file holds",
    "Name one program with --program, and make a file for each.",
)
NOT_TOLD = Code(
    "raised.not_told",
    "the node lists pledge {number} to the campaign {campaign}, and does not say which transaction made it",
    "Ask another node.",
)
NOT_OF_THESE = Code(
    "raised.other_account",
    "proof {number} is of something that another account did",
    "Ask another node: this one gave what was not asked for.",
)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file shows: its facts in the order of the file, and of each proof what it rests on."""

    facts: tuple[Fact, ...]
    reports: tuple[ProofReport, ...]


def collect_proofs(client: Client, addresses: Sequence[str], *, trust: str | None = None) -> list[bytes]:
    """The proofs of everything that these accounts pledged, voted, did and wrote, each at most once. Raises raised.too_many."""
    found = dict.fromkeys(
        islice((proof for address in addresses for proof in _proofs_of(client, address, trust)), PROOFS_MAX + 1)
    )
    if len(found) > PROOFS_MAX:
        raise WalletError(TOO_MANY, maximum=PROOFS_MAX)
    return list(found)


def _proofs_of(client: Client, address: str, trust: str | None) -> Iterator[bytes]:
    """A pledge that left no record is proved by the transaction that made it, with how its campaign stands."""
    made: dict[tuple[str, int], str] = {}
    for row in client.every(partial(client.account_history, event="pledge.made"), address):
        made[row["data"]["campaign"], row["data"]["number"]] = row["txid"]
    for pledge in client.every(client.backing.pledges_of, address):
        campaign, number = pledge["campaign"], pledge["number"]
        if not pledge["on_record"]:
            if (campaign, number) not in made:
                raise WalletError(NOT_TOLD, number=number, campaign=campaign)
            yield client.transaction_proof(TxId(bytes.fromhex(made[campaign, number])), trust=trust)
        else:
            yield client.pledge_proof(bytes.fromhex(campaign), number, trust=trust)
    for ballot in client.every(client.proposals.ballots_of, address):
        yield client.proposals.ballot_proof(bytes.fromhex(ballot["proposal"]), address, trust=trust)
    for row in client.every(client.reviews.account_contributions, address):
        yield client.reviews.contribution_proof(bytes.fromhex(row["id"]), trust=trust)
    for row in client.every(client.reviews.of_account, address):
        yield client.reviews.proof(bytes.fromhex(row["subject"]), address, trust=trust)


def write_raised(proofs: Sequence[bytes]) -> bytes:
    """The file with these proofs."""
    document = {"format": FORMAT, "proofs": [b64encode(proof).decode() for proof in proofs]}
    return json.dumps(document, indent=1).encode() + b"\n"


def read_raised(data: bytes) -> list[bytes]:
    """The proofs in a file. Raises raised.file."""
    try:
        document: Any = json.loads(data)
    except (ValueError, RecursionError):
        raise WalletError(NOT_A_FILE, reason="it is not JSON") from None
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise WalletError(NOT_A_FILE, reason=f"its format is not {FORMAT}")
    if set(document) != {"format", "proofs"} or not isinstance(document["proofs"], list):
        raise WalletError(NOT_A_FILE, reason="it does not hold one list of proofs")
    if len(document["proofs"]) > PROOFS_MAX:
        raise WalletError(NOT_A_FILE, reason=f"it holds more than {PROOFS_MAX} proofs")
    return [_read_base64(found) for found in document["proofs"]]


def _read_base64(text: object) -> bytes:
    try:
        return b64decode(text, validate=True) if isinstance(text, str) else b64decode("-", validate=True)
    except (Error, ValueError):
        raise WalletError(NOT_A_FILE, reason="a proof in it is not base64") from None


def check_proofs(
    proofs: Sequence[bytes],
    chain_id: ChainId | None = None,
    *,
    trust: BlockHash | None = None,
    accounts: Collection[Address] | None = None,
) -> Checked:
    """Check every proof, offline, and read what it shows; of these accounts, where they are known.

    Raises what `ledger.proofs.check_proof` raises, raised.other_chain, raised.file for a proof of something else, and
    raised.other_account.
    """
    facts: list[Fact] = []
    reports: list[ProofReport] = []
    for number, data in enumerate(proofs, start=1):
        report = check_proof(read_proof(data), chain_id, trust=trust)
        if reports and report.chain_id != reports[0].chain_id:
            raise WalletError(MIXED, number=number)
        fact = tell_fact(report)
        if fact is None:
            raise WalletError(NOT_A_FILE, reason=f"proof {number} shows no pledge, vote, work or review")
        if accounts is not None and fact.account not in accounts:
            raise WalletError(NOT_OF_THESE, number=number)
        reports.append(report)
        facts.append(fact)
    return Checked(tuple(facts), tuple(reports))
