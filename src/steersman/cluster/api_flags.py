"""The flags of `steersman up` that are the API server's, under upstream's names, and a --help that shows them by themselves."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import click

from steersman.cluster.options import Options

TITLE = "API server"


class Option(click.Option):
    """One of the API server's."""


class Command(click.Command):
    """Its --help shows the API server's options after all others, under their own heading."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found = [(one, record) for one in self.get_params(ctx) if (record := one.get_help_record(ctx)) is not None]
        for title, of_server in (("Options", False), (f"{TITLE} options", True)):
            with formatter.section(title):
                formatter.write_dl([record for one, record in found if isinstance(one, Option) is of_server])


def options(function: Any) -> Any:
    """All of them, for a command."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def problem(wanted: Options) -> str:
    """What is wrong with the flags together, in a sentence; "": nothing."""
    from steersman.apiserver.admission import switches

    try:
        switches.of(wanted.enable_admission_plugins, wanted.disable_admission_plugins)
    except ValueError as wrong:
        return f"Admission plugins: {wrong}."
    return ""


@contextlib.contextmanager
def _refusals(context: click.Context, parameter: click.Parameter) -> Iterator[None]:
    try:
        yield
    except (ValueError, OSError) as problem:
        raise click.BadParameter(str(problem), context, parameter) from problem


def _checked_plugins(context: click.Context, parameter: click.Parameter, names: str | None) -> str | None:
    from steersman.apiserver.admission import switches

    with _refusals(context, parameter):
        switches.parse(names or "")
    return names


def _option(name: str, text: str, **more: Any) -> Callable[[Any], Any]:
    return click.option(name, cls=Option, help=text, **more)


_OPTIONS = (
    _option(
        "--enable-admission-plugins",
        "Admission plugins to switch on, with commas between.",
        metavar="NAMES",
        callback=_checked_plugins,
    ),
    _option(
        "--disable-admission-plugins",
        "Admission plugins to switch off, with commas between.",
        metavar="NAMES",
        callback=_checked_plugins,
    ),
)
