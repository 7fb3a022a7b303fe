"""`kubectl explain`: what a kind is, and its fields."""

from steersman.kubectl import flags
from steersman.kubectl.call import Call
from steersman.kubectl.discovery import Discovery, Resource
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError

PLAINTEXT, OPENAPI_V2 = "plaintext", "plaintext-openapiv2"
FLAGS = (
    Flag("api-version", help="The version to explain (group/version)."),
    Flag("output", default=PLAINTEXT, help=f"Layout ({PLAINTEXT}, {OPENAPI_V2})."),
    Flag("recursive", flags.BOOL, help="Print all fields of fields, without their descriptions."),
)
USAGE = "TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] [-o|--output=plaintext|plaintext-openapiv2]"
HELP = """Tell what a resource is and which fields it has, from the documentation that the server keeps.

Fields are named by their path: TYPE.FIELD.FIELD
"""
EXAMPLES = """
{program} explain pods.spec.containers

{program} explain deployments --api-version=apps/v1 --recursive
"""


async def run(call: Call) -> None:
    if not call.arguments:
        raise CommandError(
            f'You must specify the type of resource to explain. Use "{call.program} api-resources" for a complete list of '
            "supported resources."
        )
    if len(call.arguments) > 1:
        raise CommandError("We accept only this format: explain RESOURCE")
    output, recursive = call.flags["output"], call.flags["recursive"]
    if output not in (PLAINTEXT, OPENAPI_V2):
        raise CommandError(f"unrecognized format: {output}")
    resource, path = find(await call.discovery(), call.arguments[0], call.flags["api-version"])
    about = resource.group, resource.version, resource.kind, path
    if output == OPENAPI_V2:
        from steersman.kubectl.explaining import openapi_v2

        call.write(openapi_v2.page(await call.ask("GET", "/openapi/v2"), *about, recursive=recursive))
        return
    from steersman.kubectl.explaining import plaintext

    index = await call.ask("GET", "/openapi/v3")
    where = index["paths"].get(resource.root.lstrip("/"))
    if where is None:
        raise CommandError(f'couldn\'t find resource for "{_text(resource)}"')
    address, _, query = where["serverRelativeURL"].partition("?")
    call.write(plaintext.page(await call.ask("GET", address, query), *about, recursive=recursive))


def find(discovery: Discovery, text: str, api_version: str) -> tuple[Resource, list[str]]:
    """The resource, and the path of the field. The group may follow the name: `ingresses.networking.k8s.io.spec`.

    Raises CommandError.
    """
    word, _, rest = text.partition(".")
    resource = discovery.look_up(word)
    if resource is None:
        raise CommandError(f'the server doesn\'t have a resource type "{word}"', bare=True)
    if api_version:
        group, _, version = api_version.rpartition("/")
        for one in discovery.resources:
            if (one.group, one.version, one.plural) == (group, version, resource.plural):
                return one, _fields(rest)
        raise CommandError(f'couldn\'t find resource for "{group}/{version}, Resource={resource.plural}"')
    for one in discovery.preferred():
        if one.plural == resource.plural and f"{text}.".startswith(f"{one.qualified}."):
            return one, _fields(text[len(one.qualified) :])
    return resource, _fields(rest)


def _fields(path: str) -> list[str]:
    return [part for part in path.split(".") if part]


def _text(resource: Resource) -> str:
    return f"{resource.group}/{resource.version}, Resource={resource.plural}"
