"""`kubectl config set-credentials`."""

import base64
import os

from steersman.kubectl import config_files, flags
from steersman.kubectl.call import Call
from steersman.kubectl.commands.config import arguments
from steersman.kubectl.config_files import ConfigFiles
from steersman.kubectl.flags import Flag, Values
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (
    Flag("auth-provider", help="Name of an auth provider."),
    Flag("auth-provider-arg", flags.LIST, help="key=value for the auth provider; key- takes one away."),
    Flag("client-certificate", help="File with the client certificate."),
    Flag("client-key", help="File with the client key."),
    Flag("embed-certs", flags.BOOL, help="Put the content of these files into the kubeconfig."),
    Flag("exec-api-version", help="API version of the credential plugin."),
    Flag("exec-arg", flags.LIST, help="Arguments of the credential plugin."),
    Flag("exec-command", help="The credential plugin."),
    Flag("exec-env", flags.LIST, help="key=value in the environment of the credential plugin; key- takes one away."),
    Flag("exec-interactive-mode", help="Whether the credential plugin may ask: Never, IfAvailable, Always."),
    Flag("exec-provide-cluster-info", flags.BOOL, help="Tell the credential plugin of the cluster."),
    Flag("password", help="Password for basic authentication."),
    Flag("token", help="Bearer token."),
    Flag("username", help="User name for basic authentication."),
)
USAGE = (
    "NAME [--client-certificate=path/to/certfile] [--client-key=path/to/keyfile] [--token=bearer_token] "
    "[--username=basic_user] [--password=basic_password] [--auth-provider=provider_name] [--auth-provider-arg=key=value] "
    "[--exec-command=exec_command] [--exec-api-version=exec_api_version] [--exec-arg=arg] [--exec-env=key=value]"
)
HELP = """Write a user into the kubeconfig; of one that is there, only what is given changes.

A bearer token and basic authentication exclude each other.
"""
EXAMPLES = """
{program} config set-credentials admin --client-certificate=admin.crt --client-key=admin.key --embed-certs
"""


async def run(call: Call) -> None:
    if len(call.arguments) != 1:
        raise arguments.unexpected(call, f"unexpected args: [{' '.join(call.arguments)}]")
    (name,) = call.arguments
    check(call.flags)
    settings = _pairs(call, "auth-provider-arg"), _pairs(call, "exec-env")
    files = ConfigFiles(call.flags, call.environment)
    files.put("users", name, changed(files.body("users", name) or {}, call.flags, *settings))
    call.print(f'User "{name}" set.')


def check(values: Values) -> None:
    """Raises CommandError."""
    methods = []
    if values["token"]:
        methods.append("--token")
    if values["username"] or values["password"]:
        methods.append("--username/--password")
    if len(methods) > 1:
        raise CommandError(
            f"you cannot specify more than one authentication method at the same time: {', '.join(methods)}"
        )
    if values["embed-certs"]:
        if not (values["client-certificate"] or values["client-key"]):
            raise CommandError("you must specify a --client-certificate or --client-key to embed")
        for flag in ("client-certificate", "client-key"):
            if values[flag]:
                config_files.embedded(values[flag], flag)


def changed(
    body: Object, values: Values, provider_settings: dict[str, str | None], plugin_variables: dict[str, str | None]
) -> Object:
    """A user with what the flags say of it. None in the settings takes one away."""
    result = dict(body)
    for flag in ("client-certificate", "client-key"):
        if values.changed(flag):
            result |= _file(flag, values)
    if values.changed("token"):
        result |= {"token": values["token"]} | ({"username": "", "password": ""} if values["token"] else {})
    for flag in ("username", "password"):
        if values.changed(flag):
            result |= {flag: values[flag]} | ({"token": ""} if values[flag] else {})
    if values.changed("auth-provider"):
        result["auth-provider"] = {"name": values["auth-provider"], "config": None}
    if result.get("auth-provider") and provider_settings:
        kept = {**(result["auth-provider"].get("config") or {}), **provider_settings}
        settings = {key: value for key, value in kept.items() if value is not None}
        result["auth-provider"] = {**result["auth-provider"], "config": settings}
    if values.changed("exec-command") or result.get("exec"):
        result["exec"] = _plugin(result.get("exec") or {}, values, plugin_variables)
    return result


def _file(flag: str, values: Values) -> Object:
    path = values[flag]
    if values["embed-certs"]:
        return {flag: "", f"{flag}-data": base64.b64encode(config_files.embedded(path, flag)).decode()}
    return {flag: os.path.abspath(path), f"{flag}-data": ""}  # noqa: PTH100 -- stays a text


_OF_PLUGIN = {
    "command": "exec-command",
    "apiVersion": "exec-api-version",
    "interactiveMode": "exec-interactive-mode",
    "provideClusterInfo": "exec-provide-cluster-info",
}


def _plugin(body: Object, values: Values, variables: dict[str, str | None]) -> Object:
    result = dict(body)
    result |= {field: values[flag] for field, flag in _OF_PLUGIN.items() if values.changed(flag)}
    if values.changed("exec-arg"):
        result["args"] = list(values["exec-arg"])
    if variables:
        kept = {one["name"]: one.get("value", "") for one in result.get("env") or []} | variables
        result["env"] = [{"name": key, "value": value} for key, value in kept.items() if value is not None]
    return result


def _pairs(call: Call, flag: str) -> dict[str, str | None]:
    """key=value, and key- for one to take away. Raises CommandError."""
    found: dict[str, str | None] = {}
    for text in call.flags[flag]:
        key, equals, value = text.partition("=")
        if equals:
            found[key] = value
        elif text.endswith("-"):
            found[text[:-1]] = None
        else:
            raise arguments.unexpected(call, f"invalid {flag} format: {text}")
    return found
