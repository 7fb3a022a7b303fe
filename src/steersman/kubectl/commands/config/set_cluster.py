"""`kubectl config set-cluster`."""

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
    Flag("certificate-authority", help="File with the certificate that the server's is checked by."),
    Flag("embed-certs", flags.BOOL, help="Put the content of that file into the kubeconfig."),
    Flag("insecure-skip-tls-verify", flags.BOOL, help="Trust whatever certificate the server shows."),
    Flag("proxy-url", help="Proxy that leads to the server."),
    Flag("server", help="Address of the server."),
    Flag("tls-server-name", help="Name that the server's certificate must be for."),
)
USAGE = (
    "NAME [--server=server] [--certificate-authority=path/to/certificate/authority] [--insecure-skip-tls-verify=true] "
    "[--tls-server-name=example.com]"
)
HELP = "Write a cluster into the kubeconfig; of one that is there, only what is given changes."
EXAMPLES = """
{program} config set-cluster e2e --server=https://1.2.3.4
"""


async def run(call: Call) -> None:
    (name,) = arguments.exactly(call, 1)
    check(call.flags)
    files = ConfigFiles(call.flags, call.environment)
    files.put("clusters", name, changed(files.body("clusters", name) or {}, call.flags))
    call.print(f'Cluster "{name}" set.')


def check(values: Values) -> None:
    """Raises CommandError."""
    if values["insecure-skip-tls-verify"] and values["certificate-authority"]:
        raise CommandError("you cannot specify a certificate authority and insecure mode at the same time")
    if values["embed-certs"]:
        if not values["certificate-authority"]:
            raise CommandError("you must specify a --certificate-authority to embed")
        config_files.embedded(values["certificate-authority"], "certificate-authority")


def changed(body: Object, values: Values) -> Object:
    """A cluster with what the flags say of it."""
    result = dict(body)
    for flag in ("server", "tls-server-name", "proxy-url"):
        if values.changed(flag):
            result[flag] = values[flag]
    if values.changed("insecure-skip-tls-verify"):
        result["insecure-skip-tls-verify"] = values["insecure-skip-tls-verify"]
        if values["insecure-skip-tls-verify"]:
            result["certificate-authority"] = result["certificate-authority-data"] = ""
    path = values["certificate-authority"]
    if values.changed("certificate-authority"):
        result |= {"certificate-authority": "", "certificate-authority-data": ""}
        if values["embed-certs"]:
            data = config_files.embedded(path, "certificate-authority")
            result["certificate-authority-data"] = base64.b64encode(data).decode()
        elif path:
            result["certificate-authority"] = os.path.abspath(path)  # noqa: PTH100 -- stays a text
        if path:
            result["insecure-skip-tls-verify"] = False
    return result
