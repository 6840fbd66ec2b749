"""Issuing offers, batch after batch: what the node would refuse is not sent, and a file gets its name once its offer stands.

Before that an offer's file has the ending `.unissued`: without its salt nobody could show an offer, so it must be on disk before
the promise; and a till takes it by its content alone, so nobody may hand it over before the chain holds it.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from api.cli.output import say, warn
from api.cli.session import write_file
from api.wallet.brand import Brand
from api.wallet.client import WAITED_TOO_LONG
from api.wallet.errors import ClientProblem, Unreachable, WalletError
from api.wallet.offers import APPLIED_SHOWN, offer_text
from api.wallet.treasury import SIGN_FIRST
from ledger.domains.offers.terms import PersonalOffer
from ledger.errors import Code
from ledger.params import OFFER_ENTRIES_MAX
from ledger.types import ProgramId

SUFFIX: Final = ".offer"
UNISSUED: Final = ".unissued"
"""What a file's name ends with until its offer is in a block."""
HTTP_NOT_FOUND: Final = 404
HTTP_TOO_MANY: Final = 429
HTTP_REFUSED: Final = range(400, 500)

Row = dict[str, str]


def issue_all(brand: Brand, program: ProgramId, offers: Sequence[PersonalOffer], folder: Path) -> list[Row]:
    """For each offer its member, its id, the ledger's code, and in words why it was skipped.

    Files of the offers that stand are in `folder` then, and no others. Raises ClientProblem or WalletError, as sending does.
    """
    rows: list[Row] = []
    for start in range(0, len(offers), OFFER_ENTRIES_MAX):
        batch = offers[start : start + OFFER_ENTRIES_MAX]
        codes = _issue_batch(brand, program, batch, folder)
        rows.extend(_row(brand, offer, code) for offer, code in zip(batch, codes, strict=True))
    return rows


def _issue_batch(brand: Brand, program: ProgramId, batch: Sequence[PersonalOffer], folder: Path) -> list[str]:
    """The code of each offer; those that the node foresees to be skipped are not sent."""
    codes = brand.foresee_offers(program, batch)
    wanted = [index for index, code in enumerate(codes) if code == APPLIED_SHOWN]
    if wanted:
        found = _send(brand, program, [batch[index] for index in wanted], folder)
        for index, code in zip(wanted, found, strict=True):
            codes[index] = code
    return codes


def _send(brand: Brand, program: ProgramId, batch: Sequence[PersonalOffer], folder: Path) -> list[str]:
    """Promise a batch; its files are kept where the promise stands, or may come to stand."""
    places = [
        folder / f"{brand.wallet.address_text(offer.member)}-{offer.offer_id.hex()[:8]}{SUFFIX}" for offer in batch
    ]
    waiting = [place.with_name(place.name + UNISSUED) for place in places]
    try:
        for path, offer in zip(waiting, batch, strict=True):
            write_file(path, offer_text(offer).encode())
        sent = brand.issue_offers(program, batch)
        say(f"sent {sent.txid.hex()}; waiting for its block")
        codes = [str(code) for code in brand.wallet.wait_for(sent)["codes"]]
    except (ClientProblem, WalletError) as fault:
        if _may_stand(fault):
            warn(
                f"whether these offers come to stand is not known yet: their files in {folder} end with {UNISSUED}. Take that "
                f"ending away from those that `fansumer brand offers list {program.hex()}` shows, and remove the others."
            )
        else:
            _remove(waiting)
        raise
    for path, place, code in zip(waiting, places, codes, strict=True):
        if code == APPLIED_SHOWN:
            path.replace(place)
        else:
            path.unlink()
    return codes


def _may_stand(fault: ClientProblem | WalletError) -> bool:
    """Whether the transaction may still come into a block: it has to be signed, or the node did not say what became of it."""
    if isinstance(fault, WalletError):
        return fault.code == SIGN_FIRST
    if isinstance(fault, Unreachable) or fault.code == WAITED_TOO_LONG.name:
        return True
    was_refused = fault.status in HTTP_REFUSED and fault.status not in (HTTP_NOT_FOUND, HTTP_TOO_MANY)
    return bool(fault.status) and not was_refused


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _row(brand: Brand, offer: PersonalOffer, code: str) -> Row:
    row = {"member": brand.wallet.address_text(offer.member), "offer": offer.offer_id.hex(), "code": code}
    return row if code == APPLIED_SHOWN else {**row, "reason": explain_skip(code)}


def explain_skip(code: str) -> str:
    """Why an offer was not issued and what to do, in words; a code that is not known here stands for itself."""
    known = Code.catalogue.get(code)
    return code if known is None else f"{known.text[:1].upper()}{known.text[1:]}. {known.advice}"
