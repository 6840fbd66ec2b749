"""The typed client of a node's HTTP API: one method for each endpoint, answers as plain mappings (ids hex, amounts integers).

A refusal is a `ClientProblem` with the ledger's code; no sensible answer at all is an `Unreachable` (see `errors`).

A request that meets a fault of the connection, or 429 or 503, is sent again with growing pauses, or after the time that the node
names. That is harmless for transactions, too: the same bytes count once.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Self

import httpx2
import stamina

from api.wallet.attestor_calls import AttestorCalls
from api.wallet.campaign_calls import CampaignCalls
from api.wallet.challenge_calls import ChallengeCalls
from api.wallet.errors import ClientProblem, Unreachable
from api.wallet.event_stream import StreamedEvent, read_events
from api.wallet.mining_calls import MiningCalls
from api.wallet.offer_calls import OfferCalls
from api.wallet.own_data import PAGE_LIMIT, Answer, OwnDataRequests, SignRequest, given, segment
from api.wallet.personal_calls import PersonalCalls
from api.wallet.proposal_calls import ProposalCalls
from api.wallet.redemption_calls import RedemptionCalls
from api.wallet.review_calls import ReviewCalls
from ledger.codec import unpack
from ledger.errors import Code, Malformed
from ledger.params import BLOCK_BYTES_MAX
from ledger.schema import ListOf, Octets
from ledger.types import TxId

DEFAULT_URL: Final = "http://127.0.0.1:8780"
ATTEMPTS_MAX: Final = 6
RETRY_SECONDS_MAX: Final = 45.0
PAUSE_SECONDS_MAX: Final = 5.0
REQUEST_SECONDS_MAX: Final = 20.0
SLOW_SECONDS_MAX: Final = 630.0
SLOW_PATH: Final = "/offer-plans"
"""A plan of offers looks at every fan of a program while its brand waits."""
POLL_SECONDS: Final = 0.5
MSGPACK: Final = "application/msgpack"
RAW_LIMIT: Final = 200
RAW_BYTES_MAX: Final = 4 * 2**20 + BLOCK_BYTES_MAX
"""What one answer with whole blocks may hold: a node stops after 4 MiB, but for one block that is larger."""
RAW_BLOCKS: Final = ListOf(Octets(1, BLOCK_BYTES_MAX), 0, RAW_LIMIT)
STREAM_SECONDS_MAX: Final = 60.0
"""A stream that is silent for longer is dead: the node says something every 15 seconds."""
STREAM_PAUSE_SECONDS: Final = 1.0
PAGES_MAX: Final = 10_000  # a node whose cursors never end is not followed for ever

UNREACHABLE = Code(
    "client.unreachable",
    "no node answers at {url}: {reason}",
    "Start one with `fansumer up`, or name yours with --url or FANSUMER_URL.",
)
TIMED_OUT = Code(
    "client.timed_out",
    "the node at {url} did not answer in time",
    "It is busy, or this takes long: ask again later. It may have done what you asked for.",
)
BAD_ANSWER = Code(
    "client.bad_answer",
    "the answer from {url} is not from a fansumer node: {reason}",
    "Check the URL; it must be the node's API.",
)
WAITED_TOO_LONG = Code(
    "client.waited_too_long",
    "the transaction {txid} has {confirmations} of {wanted} confirmations after {seconds} seconds",
    "Look again with `fansumer chain tx`; blocks may be slow, and it stays valid for some time.",
)
DROPPED = Code("client.dropped", "the node dropped the transaction {txid}", "Build it again, if it is still wanted.")


class _Busy(Exception):
    """The node asks to come back later."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        super().__init__(response.status_code)


def _pause_before_retry(fault: Exception) -> bool | float:
    """Whether to try again, or after how many seconds."""
    if isinstance(fault, _Busy):
        header = fault.response.headers.get("retry-after", "")
        return min(float(header), RETRY_SECONDS_MAX) if header.isascii() and header.isdigit() else True
    return isinstance(fault, httpx2.TransportError) and not isinstance(fault, httpx2.UnsupportedProtocol)


class Client(OwnDataRequests):
    """A node's API. Use it as a context manager, or `close` it.

    `http` replaces the connection (a test's transport, a connection with other limits); `language` is that in which refusals are
    said where the node can: `en`, `ko`; `sleep` and `clock` are for waiting.
    """

    def __init__(
        self,
        url: str = DEFAULT_URL,
        *,
        http: httpx2.Client | None = None,
        language: str = "en",
        attempts_max: int = ATTEMPTS_MAX,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url.rstrip("/")
        try:
            spoken = {"accept-language": language}
            own = (
                httpx2.Client(base_url=self.url, timeout=REQUEST_SECONDS_MAX, headers=spoken) if http is None else http
            )
            self._http = own
        except httpx2.InvalidURL as fault:
            raise Unreachable.of_code(UNREACHABLE, url=url, reason=str(fault)) from None
        self._attempts_max = attempts_max
        self._sleep = sleep
        self._clock = clock
        self.redemptions = RedemptionCalls(self._json, self._page, sleep=sleep, clock=clock)
        self.proposals = ProposalCalls(self._json, self._page, self._proof)
        self.backing = CampaignCalls(self._json)
        self.mining = MiningCalls(self._json)
        self.attesting = AttestorCalls(self._json)
        self.challenges = ChallengeCalls(self._json, self._page)
        self.offers = OfferCalls(self._json, self._page)
        self.personal = PersonalCalls(self._json)
        self.reviews = ReviewCalls(self._json, self._page, self._proof)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection."""
        self._http.close()

    # --- transactions -----------------------------------------------------------------------------------------------

    def submit(self, raw: bytes) -> Answer:
        """`POST /v1/transactions`: {txid, status}. The same bytes twice are harmless."""
        return self._json("POST", "/v1/transactions", content=raw)

    def dry_run(self, raw: bytes) -> Answer:
        """`POST /v1/transactions/dry-run`: result codes, events, fee and weight, without sending anything on."""
        return self._json("POST", "/v1/transactions/dry-run", content=raw)

    def transaction(self, txid: TxId) -> Answer:
        """`GET /v1/transactions/{txid}`: unconfirmed, in a block with confirmations, or dropped and why."""
        return self._json("GET", f"/v1/transactions/{txid.hex()}")

    def transaction_proof(self, txid: TxId, *, trust: str | None = None) -> bytes:
        """`GET /v1/transactions/{txid}/proof`: a file that `fansumer proof check` reads offline.

        `trust`, here and in the other proofs: the hash of a block, as people write it, that the proof shall lead to.
        """
        return self._proof(f"/v1/transactions/{txid.hex()}/proof", trust)

    def _proof(self, path: str, trust: str | None) -> bytes:
        parameters = None if trust is None else {"trust": trust}
        return self._request("GET", path, parameters=parameters).content

    # --- chain ------------------------------------------------------------------------------------------------------

    def chain(self) -> Answer:
        """`GET /v1/chain`: name, chain_id, address_prefix, height, tip, time, next_height and what a wallet must know."""
        return self._json("GET", "/v1/chain")

    def blocks(self, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/blocks`: a page, the newest first."""
        return self._page("/v1/blocks", cursor, limit)

    def block(self, block: str) -> Answer:
        """`GET /v1/blocks/{height|hash}`."""
        return self._json("GET", f"/v1/blocks/{segment(block)}")

    def params(self) -> Answer:
        """`GET /v1/chain/params`: the chain's params file."""
        return self._json("GET", "/v1/chain/params")

    def finality(self) -> Answer:
        """`GET /v1/finality`: the attestors in force, what is justified and final, and whether something is wrong."""
        return self._json("GET", "/v1/finality")

    def raw_blocks(self, first: int, *, limit: int = RAW_LIMIT) -> list[bytes]:
        """`GET /v1/blocks` in canonical bytes: the active chain's, from the height `first` on, as many as one answer holds."""
        parameters: dict[str, str | int] = {"from": first, "limit": limit}
        content = self._request("GET", "/v1/blocks", parameters=parameters, accept=MSGPACK).content
        try:
            found = RAW_BLOCKS.decode(unpack(content, bytes_max=RAW_BYTES_MAX), "blocks")
        except Malformed as fault:
            raise Unreachable.of_code(BAD_ANSWER, url=self.url, reason=f"these are no blocks ({fault})") from None
        return list(found)

    # --- accounts ---------------------------------------------------------------------------------------------------

    def account(self, address: str) -> Answer:
        """`GET /v1/accounts/{address}`: coin, and per program pending, available, held, next expiry."""
        return self._json("GET", f"/v1/accounts/{segment(address)}")

    def account_history(
        self, address: str, *, event: str | None = None, cursor: str | None = None, limit: int = PAGE_LIMIT
    ) -> Answer:
        """`GET /v1/accounts/{address}/history`: a page of what happened, the newest first; `event` keeps those of one name."""
        parameters = given(event=event, limit=limit, cursor=cursor)
        return self._json("GET", f"/v1/accounts/{segment(address)}/history", parameters=parameters)

    def account_proof(self, address: str, *, trust: str | None = None) -> bytes:
        """`GET /v1/accounts/{address}/proof`: of its coin."""
        return self._proof(f"/v1/accounts/{segment(address)}/proof", trust)

    # --- programs ---------------------------------------------------------------------------------------------------

    def programs(self, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs`: a page."""
        return self._page("/v1/programs", cursor, limit)

    def program(self, program: bytes) -> Answer:
        """`GET /v1/programs/{id}`: owner, terms in force and announced, books."""
        return self._json("GET", f"/v1/programs/{program.hex()}")

    def terms(self, program: bytes) -> Answer:
        """`GET /v1/programs/{id}/terms`: every version that a receipt may name."""
        return self._json("GET", f"/v1/programs/{program.hex()}/terms")

    def rewards(self, program: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs/{id}/rewards`: a page."""
        return self._page(f"/v1/programs/{program.hex()}/rewards", cursor, limit)

    def members(self, program: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs/{id}/members`: a page."""
        return self._page(f"/v1/programs/{program.hex()}/members", cursor, limit)

    def issuers(self, program: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs/{id}/issuers`."""
        return self._page(f"/v1/programs/{program.hex()}/issuers", cursor, limit)

    def returns(self, program: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs/{id}/returns`: a page of what was taken back for purchases that were returned."""
        return self._page(f"/v1/programs/{program.hex()}/returns", cursor, limit)

    def liability(self, program: bytes) -> Answer:
        """`GET /v1/programs/{id}/liability`: what the program owes its members."""
        return self._json("GET", f"/v1/programs/{program.hex()}/liability")

    def contests(self, program: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/programs/{id}/contests`: a page of the receipts of a program that fans contested."""
        return self._page(f"/v1/programs/{program.hex()}/contests", cursor, limit)

    def account_contests(self, address: str, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/accounts/{address}/contests`: a page of what an account contested."""
        return self._page(f"/v1/accounts/{segment(address)}/contests", cursor, limit)

    def contest(self, contest: bytes) -> Answer:
        """`GET /v1/contests/{id}`: what is contested, until when it can be answered, what became of it."""
        return self._json("GET", f"/v1/contests/{contest.hex()}")

    def program_proof(self, program: bytes, *, trust: str | None = None) -> bytes:
        """`GET /v1/programs/{id}/proof`: of its totals."""
        return self._proof(f"/v1/programs/{program.hex()}/proof", trust)

    def member_proof(self, program: bytes, address: str, *, trust: str | None = None) -> bytes:
        """`GET /v1/programs/{id}/members/{address}/proof`: of a member's points."""
        return self._proof(f"/v1/programs/{program.hex()}/members/{segment(address)}/proof", trust)

    # --- campaigns --------------------------------------------------------------------------------------------------

    def campaigns(self, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/campaigns`: a page."""
        return self._page("/v1/campaigns", cursor, limit)

    def campaign(self, campaign: bytes) -> Answer:
        """`GET /v1/campaigns/{id}`: terms, what was pledged, status."""
        return self._json("GET", f"/v1/campaigns/{campaign.hex()}")

    def campaign_proof(self, campaign: bytes, *, trust: str | None = None) -> bytes:
        """`GET /v1/campaigns/{id}/proof`: of what it collected."""
        return self._proof(f"/v1/campaigns/{campaign.hex()}/proof", trust)

    def pledge_proof(self, campaign: bytes, number: int, *, trust: str | None = None) -> bytes:
        """`GET /v1/campaigns/{id}/pledges/{number}/proof`."""
        return self._proof(f"/v1/campaigns/{campaign.hex()}/pledges/{number}/proof", trust)

    def pledges(self, campaign: bytes, *, cursor: str | None = None, limit: int = PAGE_LIMIT) -> Answer:
        """`GET /v1/campaigns/{id}/pledges`: a page."""
        return self._page(f"/v1/campaigns/{campaign.hex()}/pledges", cursor, limit)

    # --- events -----------------------------------------------------------------------------------------------------

    def events(
        self,
        *,
        after: str | None = None,
        account: str | None = None,
        program: bytes | None = None,
        kind: str | None = None,
        limit: int | None = None,
    ) -> Iterator[StreamedEvent]:
        """`GET /v1/events`: what happens, as it happens, from `after` (an event's id) or from now on; `limit` of them, or for ever.

        A connection that breaks is taken up again after the last event, so that none is missed and none comes twice. Raises
        ClientProblem, or Unreachable where no attempt brings anything.
        """
        filters = given(account=account, program=program, kind=kind)
        position, left, attempts = after, limit, 0
        while left is None or left > 0:
            try:
                for event in self._stream(position, {**filters, **given(limit=left)}):
                    attempts, position = 0, event.id
                    if event.name != "stream.opened":
                        left = None if left is None else left - 1
                        yield event
                fault: Exception | None = None
            except (httpx2.TransportError, _Busy) as found:
                fault = found
            if left is not None and left <= 0:
                return
            attempts += 1
            if fault is not None and attempts >= self._attempts_max:
                raise self._given_up(fault) from None
            pause = STREAM_PAUSE_SECONDS if fault is None else _pause_before_retry(fault)
            self._sleep(STREAM_PAUSE_SECONDS if isinstance(pause, bool) else pause)

    def _stream(self, position: str | None, parameters: Mapping[str, str | int]) -> Iterator[StreamedEvent]:
        headers = {"accept": "text/event-stream"} | ({} if position is None else {"last-event-id": position})
        with self._http.stream(
            "GET", "/v1/events", params=parameters, headers=headers, timeout=STREAM_SECONDS_MAX
        ) as response:
            if response.status_code in (429, 503):
                response.read()
                raise _Busy(response)
            if not response.is_success:
                response.read()
                raise self._problem_of(response)
            yield from read_events(response.iter_lines())

    def _given_up(self, fault: Exception) -> ClientProblem:
        if isinstance(fault, _Busy):
            return self._problem_of(fault.response)
        if isinstance(fault, httpx2.TimeoutException) and not isinstance(fault, httpx2.ConnectTimeout):
            return Unreachable.of_code(TIMED_OUT, url=self.url)
        return Unreachable.of_code(UNREACHABLE, url=self.url, reason=str(fault) or type(fault).__name__)

    def is_alive(self) -> bool:
        """`GET /healthz`."""
        return self._send_once("GET", "/healthz").status_code == 200

    def is_ready(self) -> bool:
        """`GET /readyz`: whether the node follows its chain and takes transactions."""
        return self._send_once("GET", "/readyz").status_code == 200

    def metrics(self) -> str:
        """`GET /metrics` in Prometheus' text format."""
        return self._request("GET", "/metrics").text

    # --- waiting and paging -----------------------------------------------------------------------------------------

    def wait_for(self, txid: TxId, *, confirmations: int = 1, seconds_max: float = 120.0) -> Answer:
        """The transaction's status once it has `confirmations` (1: it is in a block).

        Raises ClientProblem with the ledger's code if it was dropped, client.waited_too_long after `seconds_max`.
        """
        ends = self._clock() + seconds_max
        while True:
            status = self.transaction(txid)
            count = int(status.get("confirmations") or 0)
            if count >= confirmations:
                return status
            if status.get("status") == "dropped":
                raise _dropped_problem(txid, status)
            if self._clock() >= ends:
                raise ClientProblem.of_code(
                    WAITED_TOO_LONG,
                    txid=txid.hex(),
                    confirmations=count,
                    wanted=confirmations,
                    seconds=int(seconds_max),
                )
            self._sleep(POLL_SECONDS)

    def every(self, read_page: Callable[..., Answer], *arguments: Any) -> Iterator[Answer]:
        """All items of a list, page by page: `client.every(client.rewards, program)`."""
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            page = read_page(*arguments, cursor=cursor)
            yield from page["items"]
            cursor = page.get("next_cursor")
            if not cursor:
                return

    # --- requests ---------------------------------------------------------------------------------------------------

    def _page(self, path: str, cursor: str | None, limit: int) -> Answer:
        return self._json("GET", path, parameters=given(limit=limit, cursor=cursor))

    def _json(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str | int] | None = None,
        content: bytes | None = None,
        sign: SignRequest | None = None,
    ) -> Answer:
        response = self._request(method, path, parameters=parameters, content=content, sign=sign)
        try:
            answer = response.json()
        except ValueError:
            raise Unreachable.of_code(BAD_ANSWER, url=self.url, reason="it is not JSON") from None
        if not isinstance(answer, dict):
            raise Unreachable.of_code(BAD_ANSWER, url=self.url, reason="it is no JSON object")
        return answer

    def _request(
        self,
        method: str,
        path: str,
        *,
        parameters: Mapping[str, str | int] | None = None,
        content: bytes | None = None,
        accept: str | None = None,
        sign: SignRequest | None = None,
    ) -> httpx2.Response:
        """The answer of success. Raises ClientProblem or Unreachable once trying again has not helped."""
        headers = {} if content is None else {"content-type": MSGPACK}
        if accept is not None:
            headers["accept"] = accept
        try:
            response = self._send(method, path, parameters, content, headers, sign)
        except _Busy as fault:
            response = fault.response
        except httpx2.TransportError as fault:
            raise self._given_up(fault) from None
        if response.is_success:
            return response
        raise self._problem_of(response)

    def _send(
        self,
        method: str,
        path: str,
        parameters: Mapping[str, str | int] | None,
        content: bytes | None,
        headers: dict[str, str],
        sign: SignRequest | None,
    ) -> httpx2.Response:
        for attempt in stamina.retry_context(
            on=_pause_before_retry,
            attempts=self._attempts_max,
            timeout=RETRY_SECONDS_MAX,
            wait_max=PAUSE_SECONDS_MAX,
        ):
            with attempt:
                request = self._http.build_request(method, path, params=parameters, content=content, headers=headers)
                if SLOW_PATH in path:
                    request.extensions["timeout"] = httpx2.Timeout(SLOW_SECONDS_MAX).as_dict()
                if sign is not None:
                    sign(request)
                response = self._http.send(request)
                if response.status_code in (429, 503):
                    raise _Busy(response)
                return response
        raise AssertionError("the last attempt returns or raises")

    def _send_once(self, method: str, path: str) -> httpx2.Response:
        try:
            return self._http.request(method, path)
        except httpx2.TransportError as fault:
            raise self._given_up(fault) from None

    def _problem_of(self, response: httpx2.Response) -> ClientProblem:
        """The problem that a refusal describes (RFC 9457); one without a code is not from a node."""
        try:
            document = response.json()
        except ValueError:
            document = None
        if not isinstance(document, dict) or not isinstance(document.get("code"), str):
            return Unreachable.of_code(BAD_ANSWER, url=self.url, reason=f"HTTP {response.status_code}")
        fields = document.get("fields")
        return ClientProblem(
            document["code"],
            str(document.get("detail") or document.get("title") or ""),
            str(document.get("advice") or ""),
            status=response.status_code,
            fields=fields if isinstance(fields, dict) else None,
        )


def _dropped_problem(txid: TxId, status: Answer) -> ClientProblem:
    code = status.get("code")
    if not isinstance(code, str) or not code:
        return ClientProblem.of_code(DROPPED, txid=txid.hex())
    known = Code.catalogue.get(code)
    detail = str(status.get("detail") or (known.text if known else "the node dropped the transaction"))
    return ClientProblem(code, detail, str(status.get("advice") or (known.advice if known else DROPPED.advice)))
