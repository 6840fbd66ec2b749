"""A node's settings as options of a command, made from the table; only what was typed is handed on."""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Annotated, Any, get_type_hints

import typer

from api.cli.settings_table import SETTINGS, Setting
from api.cli.signature import with_parameters

CONFIG_HELP = "The settings file; by default node.toml in the data folder, if it is there."
ORDER = "Settings: the command line goes before the environment, that before the file."


def _annotation(setting: Setting) -> Any:
    """Everything is taken as text here: one place says what is wrong with it, wherever it was written."""
    shown = "" if setting.default in (None, ()) else f" [default: {setting.default}]"
    option = typer.Option(
        setting.option,
        *setting.also,
        metavar=setting.metavar,
        help=f"{setting.help}{shown}",
        show_default=False,
        rich_help_panel="Settings",
    )
    return Annotated[(list[str] | None) if setting.is_list else (str | None), option]


def with_settings(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command `--config` and an option for every setting; it is called with `config` and `typed`, what was typed of them."""
    hints = get_type_hints(command, include_extras=True)
    own = [
        parameter.replace(annotation=hints[parameter.name])
        for parameter in inspect.signature(command).parameters.values()
        if parameter.name not in ("config", "typed")
    ]
    config = Annotated[str | None, typer.Option("--config", metavar="FILE", help=CONFIG_HELP, envvar="FANSUMER_CONFIG")]
    keyword = inspect.Parameter.KEYWORD_ONLY
    made = [
        inspect.Parameter("config", keyword, default=None, annotation=config),
        *(
            inspect.Parameter(setting.name, keyword, default=None, annotation=_annotation(setting))
            for setting in SETTINGS
        ),
    ]

    @wraps(command)
    def call(**given: Any) -> None:
        typed = {
            setting.name: value for setting in SETTINGS if (value := given.pop(setting.name)) not in (None, [], ())
        }
        command(typed=typed, **given)

    parameters = [parameter.replace(kind=keyword) for parameter in own] + made
    return with_parameters(call, parameters)
