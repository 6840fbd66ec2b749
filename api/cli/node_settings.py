"""A node's settings from where people write them: the command line before the environment before a TOML file.

The sources are read by pydantic-settings; where a value came from is kept, so that a fault names it and `node settings` shows it.
"""

import difflib
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, create_model
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, SettingsConfigDict, TomlConfigSettingsSource

from api.cli.options import ENDPOINT
from api.cli.output import UsageFault
from api.cli.settings_table import BY_NAME, CONFIG_FILE, ENVIRONMENT_PREFIX, SETTINGS, Setting
from api.data_folder import HOME_VARIABLE, data_folder
from api.http.settings import checked_rate
from ledger.errors import Code, LedgerError
from node.p2p.address import read_peer_name, split_host_port

BAD_FILE = Code(
    "settings.file",
    "the settings file {path} can't be read: {reason}",
    "Mend it, or name another with --config; `fansumer node settings --example` prints one.",
)
UNKNOWN = Code(
    "settings.unknown",
    "{place} has the key {key}, which is no setting{meant}",
    "Take it out; `fansumer node settings --example` prints all that there are.",
)
BAD_VALUE = Code(
    "settings.value",
    "{key} in {place} is {found}: {reason}. It must be {allowed}",
    "Correct it there; `fansumer node settings` shows what is in force and from where.",
)
MISPLACED = Code(
    "settings.data_dir",
    "{path} lies in a data folder, so it can't name data_dir",
    "Take the line out; or name the file itself with --config.",
)
NOT_TOGETHER = Code(
    "settings.tls", "{given} is named without {missing}", "A port with TLS needs both a certificate and its key."
)
ALONE = Code(
    "settings.alone",
    "sync is snapshot, and no other node is named",
    "A snapshot comes from other nodes: name one with --peer, or listen for them with --listen.",
)

PUBLIC_URL: Final = re.compile(r"https?://[^/?#@\s]{1,200}/?")
OTHER_VARIABLES: Final = (HOME_VARIABLE, "FANSUMER_CONFIG", "FANSUMER_URL", "FANSUMER_WALLET", "FANSUMER_PASSPHRASE")
OTHER_PREFIXES: Final = ("FANSUMER_TEST_", "FANSUMER_BENCH_")
COMMAND_LINE: Final = "the command line"
BY_DEFAULT: Final = "default"
HIDDEN: Final = "(set; not shown)"


# --- what a value must be ---


def _check_listening(text: str) -> str:
    _refused(lambda: split_host_port(text, is_zero_allowed=True))
    if not re.fullmatch(r"[\w.:\[\]%-]+", text):
        raise ValueError("the host is none")
    return text


def _check_port_named(text: str) -> str:
    found = ENDPOINT.fullmatch(text)
    if found is None or int(found["port"]) > 65_535:
        raise ValueError("it is no HOST:PORT, such as 0.0.0.0:3333 or [::]:3333")
    return text


def _check_peer(text: str) -> str:
    _refused(lambda: read_peer_name(text))
    return text


def _check_url(text: str) -> str:
    if not PUBLIC_URL.fullmatch(text):
        raise ValueError("it is not http:// or https:// and a name, without a path")
    return text.rstrip("/")


def _check_work(text: str) -> str:
    if not re.fullmatch(r"(0x)?[0-9a-fA-F]{1,64}", text):
        raise ValueError("it is no hexadecimal number")
    return text


def _check_checkpoint(text: str) -> str:
    if not re.fullmatch(r"[0-9]{1,10}:[0-9a-fA-F]{64}", text) or int(text.partition(":")[0]) >= 2**32:
        raise ValueError("it is no height, a colon and the 64 hex digits of a block hash")
    return text


def _check_rate(text: str) -> str:
    try:
        return checked_rate(text)
    except ValueError:
        raise ValueError("it is no rate such as 6000/minute") from None


def _refused(read: Callable[[], object]) -> None:
    try:
        read()
    except LedgerError as fault:
        raise ValueError(str(fault.fields["reason"])) from None


CHECKS: Final[Mapping[str, Callable[[str], str]]] = {
    "listen": _check_listening,
    "stratum": _check_port_named,
    "peer": _check_peer,
    "webhook_host": _check_port_named,
    "public_url": _check_url,
    "minimum_work": _check_work,
    "trust": _check_checkpoint,
    "read_rate": _check_rate,
    "write_rate": _check_rate,
}


def _refuse_other_kinds(value: Any) -> Any:
    """Whole numbers and text only: pydantic would take true for 1 and 8780.0 for 8780."""
    if isinstance(value, bool | float):
        raise ValueError("it is of another kind")
    return value


def _split_list(value: Any) -> Any:
    """A list, or in the environment texts with commas between."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _field_of(setting: Setting) -> tuple[Any, Any]:
    """The setting as a field of pydantic's."""
    if setting.choices:
        return Literal[setting.choices], setting.default
    one: Any = setting.kind
    if setting.kind is int:
        one = Annotated[int, BeforeValidator(_refuse_other_kinds), Field(ge=setting.low, le=setting.high)]
    elif setting.kind is str:
        one = Annotated[str, Field(min_length=1, max_length=4_096)]
    check = CHECKS.get(setting.name)
    if check is not None:
        one = Annotated[one, AfterValidator(check)]
    if setting.is_list:
        return Annotated[tuple[one, ...], NoDecode, BeforeValidator(_split_list)], ()
    return (one | None if setting.default is None else one), setting.default


class _Base(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=ENVIRONMENT_PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, protected_namespaces=()
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: Any,
        init_settings: Any,
        env_settings: Any,
        dotenv_settings: Any,
        file_secret_settings: Any,
    ) -> tuple[Any, ...]:
        """What `load` merged: it reads the sources one by one, to know which a value is from."""
        return (init_settings,)


_FIELDS: dict[str, Any] = {setting.name: _field_of(setting) for setting in SETTINGS}
_Model: Any = create_model("NodeSettings", __base__=_Base, **_FIELDS)


# --- where values come from ---


@dataclass(frozen=True, slots=True)
class Settings:
    """What is in force: `values` by name, checked, and in `places` where each was written."""

    values: Mapping[str, Any]
    places: Mapping[str, str]
    folder: Path
    file: Path | None

    def __getitem__(self, name: str) -> Any:
        return self.values[name]

    def rows(self) -> list[dict[str, Any]]:
        """For people: setting, value, where it is from. Secrets are not shown."""
        return [
            {"setting": s.name, "value": self._shown(s), "from": self.places.get(s.name, BY_DEFAULT)} for s in SETTINGS
        ]

    def _shown(self, setting: Setting) -> Any:
        value = self.values[setting.name]
        if setting.name == "data_dir":
            value = self.folder
        if setting.is_secret and value is not None:
            return HIDDEN
        return list(value) if isinstance(value, tuple) else (str(value) if isinstance(value, Path) else value)


def load_settings(typed: Mapping[str, Any], config: str | None, *, chain: str | None = None) -> Settings:
    """Bring the sources together. `chain` names the folder by default, where it is not the network.

    Raises UsageFault settings.file, settings.unknown, settings.value, settings.data_dir or settings.tls.
    """
    environment = {name: value for name, value in EnvSettingsSource(_Model)().items() if name in BY_NAME}
    nearer = {**environment, **typed}
    place = nearer.get("data_dir")
    folder = Path(place) if place else data_folder() / (chain or str(nearer.get("network", "dev")))
    file = folder / CONFIG_FILE if config is None else Path(config)
    if config is None and not file.is_file():
        file = None
    written = {} if file is None else _read_file(file)
    if file is not None and config is None and "data_dir" in written:
        raise UsageFault(MISPLACED, path=str(file))
    places = {
        **dict.fromkeys(written, str(file)),
        **{name: f"{BY_NAME[name].variable} in the environment" for name in environment},
        **dict.fromkeys(typed, COMMAND_LINE),
    }
    values = _check({**written, **nearer}, places)
    if config is not None:
        folder = values["data_dir"] or data_folder() / (chain or values["network"])
    return Settings(values, places, folder, file)


def _read_file(path: Path) -> dict[str, Any]:
    """What a settings file says; what it calls relative is so to its own folder."""
    if not path.is_file():
        raise UsageFault(BAD_FILE, path=str(path), reason="there is no such file")
    try:
        found = TomlConfigSettingsSource(_Model, toml_file=path)()
    except (OSError, TOMLDecodeError, UnicodeDecodeError) as fault:
        raise UsageFault(BAD_FILE, path=str(path), reason=str(fault)) from None
    for name, value in found.items():
        setting = BY_NAME.get(name)
        if setting is not None and setting.kind is Path and isinstance(value, str):
            found[name] = str(path.parent / Path(value).expanduser())
    return found


def _check(merged: Mapping[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    try:
        values = dict(_Model(**merged))
    except ValidationError as fault:
        raise _explain(fault, places) from None
    for given, missing in (("tls_certificate", "tls_key"), ("tls_key", "tls_certificate")):
        if values[given] is not None and values[missing] is None:
            raise UsageFault(NOT_TOGETHER, given=given, missing=missing)
    if values["sync"] == "snapshot" and values["listen"] is None and not values["peer"]:
        raise UsageFault(ALONE)
    return values


def _explain(fault: ValidationError, places: Mapping[str, str]) -> UsageFault:
    """The first fault in our words: the key as it is written in that place, and what is allowed."""
    first = fault.errors(include_url=False)[0]
    name = str(first["loc"][0])
    place = places.get(name, BY_DEFAULT)
    setting = BY_NAME.get(name)
    if setting is None:
        close = difflib.get_close_matches(name.replace("-", "_"), BY_NAME, 1)
        return UsageFault(UNKNOWN, place=place, key=name, meant=f"; was {close[0]} meant?" if close else "")
    raised = first.get("ctx", {}).get("error")
    reason = str(raised) if isinstance(raised, ValueError) else first["msg"]
    found = HIDDEN if setting.is_secret else repr(first["input"])[:100]
    key = setting.option if place == COMMAND_LINE else name
    return UsageFault(BAD_VALUE, key=key, place=place, found=found, reason=reason, allowed=setting.allowed)


def unknown_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    """Variables that look like settings and are none: they may be misspelt, or another version's, so a start only says so."""
    known = {*OTHER_VARIABLES, *(setting.variable for setting in SETTINGS)}
    return sorted(
        name
        for name in environment
        if name.startswith(ENVIRONMENT_PREFIX) and name not in known and not name.startswith(OTHER_PREFIXES)
    )


def example() -> str:
    """A settings file with every setting, commented out, and its default or an example."""
    lines = [
        "# Settings of a fansumer node. What stands on the command line or in the environment goes before this file.",
        "",
    ]
    for setting in SETTINGS:
        if setting.name == "data_dir":
            continue
        value = setting.example if setting.example is not None else setting.default
        text = "[" + ", ".join(f'"{item}"' for item in value) + "]" if setting.is_list else value
        shown = f'"{text}"' if isinstance(text, str) and not setting.is_list else text
        lines += [f"# {setting.help}", f"# {setting.name} = {shown}", ""]
    return "\n".join(lines)
