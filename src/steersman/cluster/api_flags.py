"""The flags of `steersman up` that are the API server's, under upstream's names, and a --help that shows them by themselves."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator
from typing import Any

import click

from steersman.cluster.options import Options

TITLE = "API server"
_COUNT = click.IntRange(0)


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


def _checked_admission(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    from steersman.apiserver.admission import settings

    with _refusals(context, parameter):
        if path:
            settings.read(path)
    return _absolute(context, parameter, path)


def _checked_authentication(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    from steersman.apiserver import tokens
    from steersman.apiserver.jwt_issuers import configuration

    with _refusals(context, parameter):
        if path:
            configuration.read(path, tokens.ISSUER)
    return _absolute(context, parameter, path)


def _checked_modes(context: click.Context, parameter: click.Parameter, modes: str | None) -> str | None:
    from steersman.apiserver import authorization

    with _refusals(context, parameter):
        if modes is not None:
            authorization.parse_modes(modes)
    return modes


def _checked_audit_policy(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    from steersman.apiserver.audit import policy

    with _refusals(context, parameter):
        if path:
            policy.read(path)
    return _absolute(context, parameter, path)


def _checked_audit_webhook(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    from steersman.apiserver.audit import webhook

    with _refusals(context, parameter):
        if path:
            webhook.access(path)
    return _absolute(context, parameter, path)


def _absolute(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    """The cluster's processes have working directories of their own; "-" is none."""
    return str(pathlib.Path(path).absolute()) if path and path != "-" else path


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
    _option(
        "--admission-control-config-file",
        "What admission plugins are told: an AdmissionConfiguration of apiserver.config.k8s.io/v1, for PodSecurity.",
        metavar="FILE",
        callback=_checked_admission,
    ),
    _option(
        "--authentication-config",
        "Whose tokens are good, and what nobody may ask: an AuthenticationConfiguration of apiserver.config.k8s.io/v1.",
        metavar="FILE",
        callback=_checked_authentication,
    ),
    _option(
        "--authorization-mode",
        "Who says what users may do, with commas between: Node, RBAC, AlwaysAllow, AlwaysDeny.  [default: Node,RBAC]",
        metavar="MODES",
        callback=_checked_modes,
    ),
    _option(
        "--audit-policy-file",
        "Which requests are written down: a Policy of audit.k8s.io/v1. Without one none are.",
        metavar="FILE",
        callback=_checked_audit_policy,
    ),
    _option(
        "--audit-log-path",
        "Where they are written down; - is the log of the API server.",
        metavar="FILE",
        callback=_absolute,
    ),
    _option(
        "--audit-webhook-config-file",
        "A kubeconfig of the server that is told of them.",
        metavar="FILE",
        callback=_checked_audit_webhook,
    ),
    _option("--audit-log-format", "How.  [default: json]", type=click.Choice(["json", "legacy"])),
    _option("--audit-log-maxsize", "A larger file is put aside.  [default: 100]", metavar="MEGABYTES", type=_COUNT),
    _option("--audit-log-maxbackup", "How many of those are kept.  [default: all]", metavar="COUNT", type=_COUNT),
    _option("--audit-log-maxage", "For how long.  [default: for ever]", metavar="DAYS", type=_COUNT),
    _option(
        "--audit-log-truncate-max-event-size",
        "Larger events lose their objects, and go where that is not enough.  [default: none do]",
        metavar="BYTES",
        type=_COUNT,
    ),
)
