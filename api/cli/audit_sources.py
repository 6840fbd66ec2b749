"""Where an audit's blocks come from: a store, a dump or a running node, as a person names them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final

import typer
from sqlalchemy import Connection

from api.cli import session
from api.cli.chain_params import PARAMS_FILE, load_params
from api.cli.output import UsageFault
from api.cli.session import data_folder, read_id
from api.wallet.remote_chain import RemoteChain, fetch_params
from ledger.errors import Code
from ledger.genesis import make_genesis
from ledger.params import Params
from ledger.types import ChainId
from node.audit import reading_store
from node.dump import DumpHead, DumpReader, write_dump
from node.errors import NodeError
from node.replay import EMPTY_SOURCE, OTHER_GENESIS, BlockSource, DumpSource, StoreSource
from node.store.engine import describe_store, read_url

DEFAULT_NETWORK: Final = "dev"
URL_SCHEMES: Final = ("http://", "https://")

BAD_SOURCE = Code(
    "audit.bad_source", "{source} can't be audited: {reason}", "Name a data folder, a dump, or a node's URL."
)
OTHER_CHAIN = Code(
    "audit.other_chain",
    "the params that {source} shows make the chain {found}, not {wanted}",
    "Check the chain id, or name the params file with --params.",
)


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """What was named on the command line."""

    source: str | None
    network: str | None
    params: Path | None
    data_dir: Path | None
    database_url: str | None
    chain_id: str | None


@dataclass(frozen=True, slots=True)
class OpenSource:
    """A source ready to be read: the params to verify it by, and what has been taken for granted about them.

    `stored` is the store whose tables can be compared, where the source is one.
    """

    name: str
    blocks: BlockSource
    params: Params
    stored: Connection | None
    chain_is_known: bool


@contextmanager
def open_source(options: SourceOptions) -> Iterator[OpenSource]:
    """Open what was named. Raises UsageFault, NodeError or ClientProblem where it can't be read."""
    named = options.source
    if named is not None and (options.data_dir is not None or options.database_url is not None):
        raise typer.BadParameter("name the source once: SOURCE, --data-dir or --database-url")
    if named is not None and named.lower().startswith(URL_SCHEMES):
        with session.connect(named) as client:
            params, is_known = _choose_params(options, lambda: fetch_params(client), named)
            yield OpenSource(named, RemoteChain(client), params, None, is_known)
    elif named is not None and not Path(named).is_dir():
        path = Path(named)
        if not path.exists():
            raise UsageFault(BAD_SOURCE, source=named, reason="there is no such file or folder")
        with DumpReader(path) as reader:
            params, is_known = _choose_params(options, lambda: reader.head.params, named)
            yield OpenSource(named, DumpSource(reader), params, None, is_known)
    else:
        with _open_store(options, None if named is None else Path(named)) as found:
            yield found


def write_source(opened: OpenSource, file: Path) -> DumpHead:
    """Write a source as a dump. Raises `audit.empty`, `audit.genesis`, and what the source or the disk refuses."""
    source = opened.blocks
    genesis = make_genesis(opened.params)
    if source.tip is None:
        raise NodeError(EMPTY_SOURCE)
    if source.genesis != genesis.chain_id:
        raise NodeError(OTHER_GENESIS, found=source.genesis or "damaged", expected=genesis.chain_id)
    head = DumpHead(genesis.chain_id, opened.params, source.height, source.tip)
    write_dump(file, head, chain([genesis.block.encode()], source.blocks()))
    return head


@contextmanager
def _open_store(options: SourceOptions, named: Path | None) -> Iterator[OpenSource]:
    folder = named or options.data_dir
    if folder is None and options.database_url is None:
        folder = data_folder() / (options.network or DEFAULT_NETWORK)
    params = load_params(options.network or DEFAULT_NETWORK, options.params, folder)
    name = str(folder) if options.database_url is None else describe_store(read_url(options.database_url))
    _check_chain_id(options, params, name)
    # Without a file, params are a public network's: whoever named that network knows the chain.
    beside = folder is not None and (folder / PARAMS_FILE).exists()
    is_known = options.chain_id is not None or options.params is not None or not beside
    with reading_store(folder, options.database_url) as connection:
        yield OpenSource(name, StoreSource(connection), params, connection, is_known)


def _choose_params(options: SourceOptions, shown: Callable[[], Params], source: str) -> tuple[Params, bool]:
    """The params that were named, else those that the source shows; and whether anybody but the source vouches for them."""
    if options.params is not None or options.network is not None:
        params, is_known = load_params(options.network or DEFAULT_NETWORK, options.params), True
    else:
        params, is_known = shown(), options.chain_id is not None
    _check_chain_id(options, params, source)
    return params, is_known


def _check_chain_id(options: SourceOptions, params: Params, source: str) -> None:
    if options.chain_id is None:
        return
    wanted, found = ChainId(read_id(options.chain_id, "--chain-id")), make_genesis(params).chain_id
    if wanted != found:
        raise UsageFault(OTHER_CHAIN, source=source, found=found, wanted=wanted)
