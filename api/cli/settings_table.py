"""Every setting of a node, once: its name in file, environment and command line, what it is for, what is allowed.

`listen` is `listen = "0.0.0.0:8790"` in node.toml, FANSUMER_LISTEN in the environment, `--listen` on the command line. Help is made
from this table, too, so nothing is imported here that a command line would have to wait for.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ENVIRONMENT_PREFIX: Final = "FANSUMER_"
CONFIG_FILE: Final = "node.toml"
"""In the data folder; another place is named by --config."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. A list comes as an array in the file, with commas between in the environment, and often as an option."""

    name: str
    metavar: str
    help: str
    default: Any = None
    kind: type = str
    low: int | None = None
    high: int | None = None
    choices: tuple[str, ...] = ()
    is_list: bool = False
    is_secret: bool = False
    also: tuple[str, ...] = ()
    example: Any = None

    @property
    def option(self) -> str:
        """On the command line."""
        return f"--{self.name.replace('_', '-')}"

    @property
    def variable(self) -> str:
        """In the environment."""
        return f"{ENVIRONMENT_PREFIX}{self.name.upper()}"

    @property
    def allowed(self) -> str:
        """What a person may write."""
        if self.choices:
            return f"one of {', '.join(self.choices)}"
        if self.kind is int:
            return f"a whole number from {self.low} to {self.high}"
        return f"a list of {self.metavar}" if self.is_list else self.metavar


SETTINGS: Final = (
    Setting(
        "network",
        "NETWORK",
        "Which network: main, test, dev or sim.",
        default="dev",
        choices=("main", "test", "dev", "sim"),
    ),
    Setting(
        "params",
        "FILE",
        "A private chain's params file; by default params.json in the folder, if it is there.",
        kind=Path,
        example="params.json",
    ),
    Setting(
        "data_dir",
        "FOLDER",
        "The chain's folder; by default one for each network in your data folder.",
        kind=Path,
        example="chain",
    ),
    Setting(
        "database",
        "URL",
        "The store: postgresql://USER@HOST:PORT/DATABASE, a password best in PGPASSWORD or ~/.pgpass. "
        "By default an SQLite file in the chain's folder.",
        is_secret=True,
        also=("--database-url",),
        example="postgresql://fansumer@localhost/ledger",
    ),
    Setting("host", "HOST", "The address that the API listens on.", default="127.0.0.1"),
    Setting("port", "PORT", "The API's port; 0 takes a free one.", default=8780, kind=int, low=0, high=65_535),
    Setting(
        "public_url",
        "URL",
        "What clients call this node, such as https://node.example; signed requests for other names are refused.",
        default=(),
        is_list=True,
        example=["https://node.example"],
    ),
    Setting("payout", "ADDRESS", "Whom mined blocks pay. Without it nothing is mined.", example="dfan1..."),
    Setting("workers", "COUNT", "Processes that mine; 0 is none.", default=1, kind=int, low=0, high=256),
    Setting(
        "stratum",
        "HOST:PORT",
        "Let ordinary miners (Stratum v1) work here; 0.0.0.0:3333 lets other computers in. Off unless named.",
        example="0.0.0.0:3333",
    ),
    Setting(
        "listen",
        "HOST:PORT",
        "Take connections of other nodes there, such as 0.0.0.0:8790. Port 0 takes a free one.",
        example="0.0.0.0:8790",
    ),
    Setting(
        "peer",
        "[wss://][KEY@]HOST:PORT",
        "Another node, to be connected to always. wss:// asks for TLS; KEY is the node key (64 hex digits) that it must have.",
        default=(),
        is_list=True,
        example=["node.example:8790"],
    ),
    Setting(
        "tls_certificate",
        "FILE",
        "Other nodes are taken over TLS with this certificate (PEM; it may be self-signed, as the node's key is what counts).",
        kind=Path,
        example="node.crt",
    ),
    Setting("tls_key", "FILE", "The private key of --tls-certificate (PEM).", kind=Path, example="node.pem"),
    Setting(
        "dialled_max",
        "COUNT",
        "Connections to other nodes that this one makes, besides named peers.",
        default=8,
        kind=int,
        low=0,
        high=128,
    ),
    Setting(
        "taken_max", "COUNT", "Connections of other nodes that are taken.", default=64, kind=int, low=0, high=1_024
    ),
    Setting(
        "taken_per_host_max",
        "COUNT",
        "Connections that are taken from one host.",
        default=8,
        kind=int,
        low=1,
        high=1_024,
    ),
    Setting(
        "network_memory",
        "MIB",
        "What may wait to be read from and sent to other nodes, in MiB.",
        default=512,
        kind=int,
        low=96,
        high=65_536,
    ),
    Setting(
        "minimum_work",
        "HEX",
        "Chains with less work than that are not followed: what somebody whom you trust sees as `work` in `fansumer node status`.",
        default="0",
    ),
    Setting(
        "sync",
        "HOW",
        "How an empty folder comes to the chain: by all blocks (full), or with a snapshot of the state that other nodes offer, "
        "whose history is verified behind it (snapshot).",
        default="full",
        choices=("full", "snapshot"),
    ),
    Setting(
        "prune",
        "KEEP",
        "Delete blocks when so many stand on them, and those whose transactions may not come again. All are kept by default.",
        kind=int,
        low=288,
        high=2**31 - 1,
        example=1000,
    ),
    Setting(
        "trust",
        "HEIGHT:HASH",
        "A checkpoint that you know to be final, from people you trust: at the first start, and to settle a conflict.",
        example=f"1440:{'0' * 60}5f2a",
    ),
    Setting(
        "mempool_weight",
        "WEIGHT",
        "Weight of the transactions that may wait.",
        default=16_000_000,
        kind=int,
        low=1_000_000,
        high=1_000_000_000,
    ),
    Setting(
        "mempool_author_max",
        "COUNT",
        "Transactions of one author that may wait.",
        default=2_000,
        kind=int,
        low=1,
        high=1_000_000,
    ),
    Setting(
        "models",
        "FILE_OR_FOLDER",
        "Trained models (`fansumer personalize train`) to answer fans by; a newer file is taken up while the node runs. "
        "By default plain rules answer.",
        kind=Path,
        example="models",
    ),
    Setting(
        "webhook_host",
        "HOST:PORT",
        "Brands may name webhooks there without https and in your own net: to try a receiver of your own. Elsewhere only https on "
        "the public internet is called.",
        default=(),
        is_list=True,
        example=["127.0.0.1:9000"],
    ),
    Setting("read_rate", "RATE", "Reads that one client may make of the API, as 6000/minute.", default="6000/minute"),
    Setting("write_rate", "RATE", "What one client may send to the API, as 1200/minute.", default="1200/minute"),
    Setting(
        "rent_price",
        "CENTS",
        "What renting hash power costs: US cents for 1 PH/s of SHA-256d over a day. Only for the estimate of what reversing a "
        "transaction would cost; the default is the order of magnitude that markets ask.",
        default=5_000,
        kind=int,
        low=1,
        high=1_000_000_000,
    ),
    Setting(
        "log_level",
        "LEVEL",
        "How much the log says: debug, info, warning or error.",
        default="info",
        choices=("debug", "info", "warning", "error"),
    ),
)

BY_NAME: Final = {setting.name: setting for setting in SETTINGS}
