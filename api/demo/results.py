"""What a replay came to, as the node's API says it, held against what the purchases give."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from api.demo.journey import HouseholdId
from api.wallet.client import Answer, Client
from ledger.domains.loyalty.events import PointsEarned
from ledger.domains.offers.events import OfferCredited
from ledger.errors import Code, LedgerError
from ledger.types import CampaignId, ProgramId, TxId

DISAGREES: Final = Code(
    "replay.disagrees",
    "the chain gave household {household} {found} points, and the purchases give {expected}",
    "Report this: the chain and the data must agree.",
)
SKIPPED: Final = Code(
    "replay.skipped",
    "an entry of the batch {txid} was skipped with {fault}",
    "Report this: a replay settles everything.",
)


class ReplayError(LedgerError):
    """A replay that can't begin, or that did not end as it must."""


@dataclass(frozen=True, slots=True)
class Results:
    """The API's answers at the end. `entries` are each household's entries that stand in the chain, (period, points) in their
    order; `bonuses` the points of the offers that it cited; `members` what the program's list of members says of it; `pledges` what
    each gave to each campaign.
    """

    entries: Mapping[HouseholdId, Sequence[tuple[int, int]]]
    offers_issued: int
    bonuses: Mapping[HouseholdId, Sequence[int]]
    members: Mapping[HouseholdId, Answer]
    books: Answer
    rewards: tuple[Answer, ...]
    campaigns: tuple[Answer, ...]
    pledges: tuple[Mapping[HouseholdId, int], ...]
    chain: Answer
    root: str

    def tier_of(self, household: HouseholdId) -> int:
        """The number of a household's tier at the end; 0 for none."""
        tier = self.members[household]["tier"]
        return tier["number"] if tier else 0

    @property
    def households(self) -> dict[HouseholdId, int]:
        """Points issued by household."""
        return {household: sum(points for _, points in found) for household, found in self.entries.items()}


def read_results(
    client: Client,
    program: ProgramId,
    *,
    batches: Mapping[str, Sequence[TxId]],
    campaigns: Sequence[CampaignId],
    members: Mapping[str, HouseholdId],
    promised: Mapping[HouseholdId, int],
) -> Results:
    """Everything that the summary says, as the API says it. Raises ReplayError where it is not what the receipts promise."""
    chain = client.chain()
    entries = _read_entries(client, batches.get("earn", ()), members)
    issued = sum(len(answer["codes"]) for answer in _read_batches(client, batches.get("offer.issue", ())))
    bonuses = _read_bonuses(client, batches.get("offer.settle", ()), members)
    books = client.program(program)["books"]
    for household, expected in sorted(promised.items()):
        found = sum(points for _, points in entries.get(household, ()))
        if found != expected:
            raise ReplayError(DISAGREES, household=household, found=found, expected=expected)
    expected = sum(promised.values()) + sum(sum(found) for found in bonuses.values())
    if books["issued"] != expected:
        raise ReplayError(DISAGREES, household="all", found=books["issued"], expected=expected)
    return Results(
        entries=entries,
        offers_issued=issued,
        bonuses=bonuses,
        members={members[item["address"]]: item for item in client.every(client.members, program)},
        books=books,
        rewards=tuple(client.every(client.rewards, program)),
        campaigns=tuple(client.campaign(campaign) for campaign in campaigns),
        pledges=tuple(_read_pledges(client, campaign, members) for campaign in campaigns),
        chain=chain,
        root=client.block(str(chain["height"]))["state_root"],
    )


def _read_batches(client: Client, txids: Iterable[TxId]) -> Iterator[Answer]:
    """The transactions of batches, of which nothing may have been skipped."""
    for txid in txids:
        answer = client.transaction(txid)
        skipped = set(answer["codes"]) - {"applied"}
        if skipped:
            raise ReplayError(SKIPPED, fault=min(skipped), txid=txid)
        yield answer


def _read_entries(
    client: Client, settlements: Iterable[TxId], members: Mapping[str, HouseholdId]
) -> dict[HouseholdId, list[tuple[int, int]]]:
    found: dict[HouseholdId, list[tuple[int, int]]] = {household: [] for household in sorted(members.values())}
    for answer in _read_batches(client, settlements):
        for event in answer["events"]:
            if event["name"] == PointsEarned.name:
                data = event["data"]
                found[members[data["member"]]].append((data["period"], data["points"]))
    return found


def _read_bonuses(
    client: Client, settlements: Iterable[TxId], members: Mapping[str, HouseholdId]
) -> dict[HouseholdId, list[int]]:
    found: defaultdict[HouseholdId, list[int]] = defaultdict(list)
    for answer in _read_batches(client, settlements):
        for event in answer["events"]:
            if event["name"] == OfferCredited.name:
                found[members[event["data"]["member"]]].append(event["data"]["points"])
    return dict(found)


def _read_pledges(client: Client, campaign: CampaignId, members: Mapping[str, HouseholdId]) -> dict[HouseholdId, int]:
    found = Counter[HouseholdId]()
    for pledge in client.every(client.pledges, campaign):
        found[members[pledge["backer"]]] += pledge["quantity"]
    return dict(sorted(found.items()))
