"""`create secret docker-registry`: what kubelets log in to a registry with."""

import json

from steersman.kubectl.call import Call
from steersman.kubectl.commands.create import secret_generic, sending, sources
from steersman.kubectl.flags import BOOL, STRINGS, Flag, Values
from steersman.kubectl.problems import CommandError
from steersman.meta.objects import Object

_TYPE = "kubernetes.io/dockerconfigjson"
_KEY = ".dockerconfigjson"

FLAGS = (
    Flag("docker-username", help="Who logs in to the registry."),
    Flag("docker-password", help="The password for it."),
    Flag("docker-email", help="An address of mail, for registries that ask for one."),
    Flag("docker-server", default="https://index.docker.io/v1/", help="Where the registry is."),
    Flag("append-hash", BOOL, help="Put a hash of the content behind the name."),
    Flag(
        "from-file", STRINGS, help="A file of Docker's configuration, or KEY=FILE; its key should be .dockerconfigjson."
    ),
    *sending.FLAGS,
)
USAGE = (
    "NAME --docker-username=user --docker-password=password --docker-email=email"
    " [--docker-server=string] [--from-file=[key=]source] [--dry-run=server|client|none]"
)


async def run(call: Call) -> None:
    name = sending.name_of(call)
    obj = generate(name, sending.namespace_of(call), call.flags)
    await sending.send(call, obj, "secrets", failed="failed to create secret ")


def generate(name: str, namespace: str, flags: Values) -> Object:
    """Raises CommandError."""
    user, password, server = flags["docker-username"], flags["docker-password"], flags["docker-server"]
    if not flags["from-file"] and not (user and password and server):
        raise CommandError(
            "either --from-file or the combination of --docker-username, --docker-password and --docker-server is required"
        )
    data: dict[str, str] = {}
    if flags["from-file"]:
        for source in flags["from-file"]:
            key, path = sources.parse_file_source(source)
            key = key if "=" in source else _KEY
            sources.read((), (f"{key}={path}",), (), lambda key, value: secret_generic.add(data, key, value), {})
    else:
        secret_generic.add(data, _KEY, docker_config(user, password, flags["docker-email"], server))
    return secret_generic.secret(name, namespace, _TYPE, data, append_hash=flags["append-hash"])


def docker_config(user: str, password: str, email: str, server: str) -> bytes:
    login = {"username": user, "password": password}
    if email:
        login["email"] = email
    login["auth"] = sources.base64_of(f"{user}:{password}".encode())
    return json.dumps({"auths": {server: login}}, separators=(",", ":"), ensure_ascii=False).encode()
