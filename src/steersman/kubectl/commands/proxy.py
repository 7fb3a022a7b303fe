"""`kubectl proxy`: the API server on a local port, with this user's credentials, for programs that have none."""

import asyncio
import contextlib
import dataclasses
import os
import re
import socket
import stat
import urllib.parse
from pathlib import Path

from steersman.client.transport import HttpTransport, Transport
from steersman.kubectl import flags, klog, reverse_proxy
from steersman.kubectl.call import NO_DEADLINE_SECONDS, Call
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import CommandError, Exit
from steersman.kubectl.reverse_proxy import Filter, ReverseProxy
from steersman.serving import http_server
from steersman.serving.http_connection import Limits

FLAGS = (
    Flag("accept-hosts", default=reverse_proxy.ACCEPT_HOSTS, help="Regular expressions of hosts to answer to."),
    Flag("accept-paths", default=reverse_proxy.ACCEPT_PATHS, help="Regular expressions of paths to let through."),
    Flag("address", default="127.0.0.1", help="The address to listen on."),
    Flag("api-prefix", default="/", help="What the paths of the API begin with here."),
    Flag("append-server-path", flags.BOOL, help="Put the path of the context's server before every path."),
    Flag("disable-filter", flags.BOOL, help="Let everything through. Dangerous on a port that others reach."),
    Flag("keepalive", flags.DURATION, help="Time between two signs of life on a connection; 0 is the usual one."),
    Flag("port", flags.INT, 8001, short="p", help="The port to listen on; 0 is any free one."),
    Flag("reject-methods", default=reverse_proxy.REJECT_METHODS, help="Regular expressions of methods to refuse."),
    Flag(
        "reject-paths",
        default=reverse_proxy.REJECT_PATHS,
        help="Regular expressions of paths to refuse, come what may.",
    ),
    Flag("unix-socket", short="u", help="A Unix socket to listen on instead."),
    Flag("www", short="w", help="A folder whose files are served, too."),
    Flag("www-prefix", default="/static/", short="P", help="What the paths of those files begin with."),
)
USAGE = "[--port=PORT] [--www=static-dir] [--www-prefix=prefix] [--api-prefix=prefix]"
HELP = """Serve the Kubernetes API on a port of this machine.

Whoever reaches the port is this user: the filters keep out what comes from other hosts, and what opens a shell.
"""
EXAMPLES = """
# http://localhost:8001/api/ is the cluster's /api/
{program} proxy

# Any free port, under a prefix: http://localhost:PORT/cluster/api/v1/pods
{program} proxy --port=0 --api-prefix=/cluster/

# A page of one's own beside the API
{program} proxy --www=./site --www-prefix=/site/
"""
# What a request's body may be: it is held whole, and the server behind has a limit of its own.
BODY_MOST_BYTES = 64 * 1024 * 1024


async def run(call: Call) -> int | None:
    values = call.flags
    static_prefix, api_prefix = (_with_slash(values[name]) for name in ("www-prefix", "api-prefix"))
    permitted = _filter(call)
    if values["port"] != 8001 and values["unix-socket"]:
        raise CommandError("cannot set --unix-socket and --port at the same time")
    folder = _static_folder(call)
    listener = _listen_unix(values["unix-socket"]) if values["unix-socket"] else _listen(call)
    proxy = ReverseProxy(
        _transport(call),
        dict(call.access.headers),
        api_prefix=api_prefix,
        permitted=permitted,
        static_prefix=static_prefix,
        static_folder=folder,
    )
    limits = Limits(body_bytes=BODY_MOST_BYTES)
    async with await http_server.serve(proxy.handle, sockets=[listener], limits=limits, clock=call.clock):
        call.write(f"Starting to serve on {_address(listener)}\n")
        call.streams.flush()
        await asyncio.Event().wait()
    return None


def _transport(call: Call) -> Transport:
    """A server's own path comes before those of requests only where that is asked for."""
    url = urllib.parse.urlsplit(call.access.server)
    if call.flags["append-server-path"] or not url.path.strip("/"):
        return call.transport
    access = dataclasses.replace(call.access, server=f"{url.scheme}://{url.netloc}")
    return HttpTransport(access, clock=call.clock, request_seconds=NO_DEADLINE_SECONDS)


def _filter(call: Call) -> Filter | None:
    values = call.flags
    if values["disable-filter"]:
        if not values["unix-socket"]:
            danger = "Request filter disabled, your proxy is vulnerable to XSRF attacks, please be cautious"
            call.write_error(klog.line("W", "proxy.go:177", danger, call.clock.now()))
        return None
    try:
        return Filter(
            accept_paths=reverse_proxy.patterns(values["accept-paths"]),
            reject_paths=reverse_proxy.patterns(values["reject-paths"]),
            accept_hosts=reverse_proxy.patterns(values["accept-hosts"]),
            reject_methods=reverse_proxy.patterns(values["reject-methods"]),
        )
    except re.error as wrong:
        text = f"Error compiling re: error parsing regexp: {wrong}"
        call.write_error(klog.line("F", "proxy_server.go:83", text, call.clock.now()))
        raise Exit(255) from wrong


def _static_folder(call: Call) -> Path | None:
    name = call.flags["www"]
    if not name:
        return None
    folder = Path(name)
    told = ""
    if not folder.exists():
        told = f"Failed to stat static file directory {name}: stat {name}: no such file or directory"
    elif not folder.is_dir():
        told = f"Static file directory {name} is not a directory"
    if told:
        call.write_error(klog.line("W", "proxy.go:205", told, call.clock.now()))
    return folder


def _listen(call: Call) -> socket.socket:
    address, port = call.flags["address"], call.flags["port"]
    host = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    if ":" in address and host == address:
        raise CommandError(f"listen tcp: address {address}:{port}: too many colons in address")
    if not 0 <= port <= 65535:
        raise CommandError(f"listen tcp: address {port}: invalid port")
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family, backlog=128)
    except OSError as failed:
        why = os.strerror(failed.errno).lower() if failed.errno and failed.errno > 0 else str(failed)
        raise CommandError(f"listen tcp {address}:{port}: bind: {why}") from failed


def _listen_unix(path: str) -> socket.socket:
    """Only for this user; an old socket of that name makes way, another file does not."""
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(Path(path).stat().st_mode):
            Path(path).unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o077)
    try:
        listener.bind(path)
    except OSError as failed:
        listener.close()
        raise CommandError(f"listen unix {path}: bind: {os.strerror(failed.errno or 0).lower()}") from failed
    finally:
        os.umask(before)
    listener.listen(128)
    listener.setblocking(False)
    return listener


def _address(listener: socket.socket) -> str:
    name = listener.getsockname()
    if isinstance(name, str):
        return name
    return f"[{name[0]}]:{name[1]}" if ":" in name[0] else f"{name[0]}:{name[1]}"


def _with_slash(prefix: str) -> str:
    return prefix if prefix.endswith("/") else f"{prefix}/"
