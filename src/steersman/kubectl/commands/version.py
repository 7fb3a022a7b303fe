"""`kubectl version`: what this client is, what the server is, and whether they are made for each other."""

import platform
import re
import sys
from typing import Any

import steersman
from steersman.kubectl import flags
from steersman.kubectl.call import Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

FLAGS = (
    Flag("client", flags.BOOL, help="Only the client's; no server is needed."),
    Flag("output", short="o", help="One of 'yaml' or 'json'."),
)
HELP = "Print the version of the client, and of the server that the current context leads to."
EXAMPLES = """
{program} version
"""

# The kubectl whose flags and output these verbs have.
MAJOR, MINOR, PATCH = 1, 33, 1
KUSTOMIZE = "v5.6.0"
SKEW_MAX = 1  # minor versions, in either direction
_VERSION = re.compile(r"v?(\d+)\.(\d+)").match


async def run(call: Call) -> None:
    output = call.flags["output"]
    if call.arguments:
        raise CommandError(f"extra arguments: {call.arguments}".replace("'", ""))
    if output not in ("", "yaml", "json"):
        raise CommandError("--output must be 'yaml' or 'json'")
    versions: Object = {"clientVersion": client_version(), "kustomizeVersion": KUSTOMIZE}
    problem: Exception | None = None
    if not call.flags["client"]:
        try:
            versions["serverVersion"] = await call.ask("GET", "/version")
        except Exception as failed:  # what is known is printed first
            problem = failed
    call.write(text_of(versions, output))
    if problem is not None:
        raise problem
    if "serverVersion" in versions:
        warning = skew_warning(versions["serverVersion"])
        if warning:
            call.write_error(f"{warning}\n")


def client_version() -> Object:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    return {
        "major": str(MAJOR),
        "minor": str(MINOR),
        "gitVersion": f"v{MAJOR}.{MINOR}.{PATCH}",
        "gitCommit": "",
        "gitTreeState": "",
        "buildDate": "",
        "goVersion": f"steersman {steersman.__version__}",
        "compiler": platform.python_implementation(),
        "platform": f"{sys.platform}/{machine}",
    }


def text_of(versions: Object, output: str) -> str:
    if output == "json":
        import json

        return json.dumps(versions, indent=2) + "\n"
    if output == "yaml":
        from steersman.kubectl import go_yaml

        return go_yaml.dump(versions)
    lines = [f"Client Version: {versions['clientVersion']['gitVersion']}", f"Kustomize Version: {KUSTOMIZE}"]
    if "serverVersion" in versions:
        lines.append(f"Server Version: {versions['serverVersion']['gitVersion']}")
    return "".join(f"{line}\n" for line in lines)


def skew_warning(server: dict[str, Any]) -> str:
    """Told when the two are further apart than kubectl supports; "" otherwise."""
    found = _VERSION(server.get("gitVersion", ""))
    if not found:
        return ""
    major, minor = map(int, found.groups())
    if major == MAJOR and abs(minor - MINOR) <= SKEW_MAX:
        return ""
    return (
        f"WARNING: version difference between client ({MAJOR}.{MINOR}) and server ({major}.{minor}) "
        f"exceeds the supported minor version skew of +/-{SKEW_MAX}"
    )
