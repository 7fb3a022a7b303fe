"""Steersman's own commands. Each imports its part only when it is called, so that `--help` is instant."""

import contextlib
import importlib
import pathlib
import sys
from collections.abc import Iterator
from typing import Any

import click

from steersman import __version__
from steersman.cluster import api_flags

# Those of `kubeadm token create`: they have the right to join.
DEFAULT_TOKEN_GROUPS = "system:bootstrappers:kubeadm:default-node-token"
CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


def _name_option(function: Any) -> Any:
    function = click.option("--data-dir", metavar="DIR", help="Where the cluster keeps its state.")(function)
    name = click.option("--name", default="steersman", show_default=True, callback=_checked_name, help="Which cluster.")
    return name(function)


@contextlib.contextmanager
def _refusals(context: click.Context, parameter: click.Parameter) -> Iterator[None]:
    """What a part says against a value becomes a word about this option."""
    try:
        yield
    except (ValueError, OSError) as problem:
        raise click.BadParameter(str(problem), context, parameter) from problem


def _checked_name(context: click.Context, parameter: click.Parameter, name: str) -> str:
    from steersman.cluster import paths

    with _refusals(context, parameter):
        return paths.check_name(name)


def _checked_store(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    from steersman.cluster import stores

    with _refusals(context, parameter):
        if text is not None:
            stores.check(text)
    return text


def _checked_runtime(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    from steersman.cluster import runtimes

    with _refusals(context, parameter):
        return text if text is None else runtimes.check(text)


def _checked_pool(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    from steersman.meta import address_pools

    with _refusals(context, parameter):
        address_pools.parse(text or "")
    return text


def _checked_by(module: str, function: str) -> Any:
    """A callback: what `steersman.MODULE` says of a value that was given, at the command line or by default."""

    def checked(context: click.Context, parameter: click.Parameter, value: Any) -> Any:
        with _refusals(context, parameter):
            return value if value is None else getattr(importlib.import_module(f"steersman.{module}"), function)(value)

    return checked


def _checked_kubelet_config(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    if not path:
        return path
    from steersman.kubelet import configuration_file

    with _refusals(context, parameter):
        configuration_file.check(path)
    return _absolute(context, parameter, path)


def _check_providers(config: str | None, programs: str | None) -> None:
    if not config and not programs:
        return
    if not config or not programs:
        together = "--image-credential-provider-config and --image-credential-provider-bin-dir belong together"
        raise click.UsageError(together)
    from steersman.kubelet.credentials import provider_config

    try:
        provider_config.read(config, programs)
    except (ValueError, OSError) as wrong:
        raise click.UsageError(f"--image-credential-provider-config: {wrong}") from wrong


def _absolute(context: click.Context, parameter: click.Parameter, path: str | None) -> str | None:
    """The cluster's processes have working directories of their own."""
    return str(pathlib.Path(path).absolute()) if path else path


def _checked_release(context: click.Context, parameter: click.Parameter, text: str | None) -> str | None:
    from steersman.api import releases

    with _refusals(context, parameter):
        return text and releases.parse(text).removesuffix(".0")


def _checked_duration(context: click.Context, parameter: click.Parameter, text: str) -> float:
    from steersman.meta import times

    with _refusals(context, parameter):
        seconds = times.parse_duration(text)
        if not 0 < seconds <= 86400:
            raise ValueError("from a moment to a day (24h)")
        return seconds


_SECTIONS = {
    "A cluster": ("up", "down", "status", "snapshot", "fork", "backup", "restore"),
    "Its nodes": ("node", "join", "token", "image", "net"),
    "See through it": ("why", "history", "at", "rewind", "simulate"),
}


_WHOLE = 200  # letters: a first sentence is not cut


class _Sections(click.Group):
    """Commands by what they are about; kubectl's verbs, which are no commands of click's, too."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        others = tuple(name for name in self.list_commands(ctx) if name not in sum(_SECTIONS.values(), ()))
        for title, names in {**_SECTIONS, "Others": others}.items():
            rows = [(name, self.commands[name].get_short_help_str(_WHOLE)) for name in names]
            if rows:
                with formatter.section(title):
                    formatter.write_dl(rows, col_max=10)
        from steersman.kubectl import verbs

        listed = ", ".join(sorted(verb.path for verb in verbs.below("") if not verb.hidden))
        with formatter.section("kubectl's verbs, for any cluster (also as `kubectl`, by a symlink to this program)"):
            formatter.write_text(listed)


@click.group(cls=_Sections, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="steersman")
def main() -> None:
    """Kubernetes in Python: one command, and a real cluster runs."""


@main.command(cls=api_flags.Command)
@click.option("-d", "--detach", is_flag=True, help="Return as soon as the API is ready and every node is Ready.")
@_name_option
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the API server.  [default: 6443]")
@click.option(
    "--listen",
    callback=_checked_by("cluster.reach", "check_listen"),
    metavar="ADDRESS",
    help="Where other machines reach the API server, so that they can join; 0.0.0.0: wherever this one can be reached.  "
    "[default: 127.0.0.1, nowhere]",
)
@click.option(
    "--advertise-address",
    callback=_checked_by("cluster.reach", "check_advertise"),
    metavar="ADDRESS",
    help="The address that they are told.  [default: that of --listen, or of the default route]",
)
@click.option(
    "--tls-san",
    "tls_sans",
    callback=_checked_by("cluster.reach", "check_names"),
    multiple=True,
    metavar="NAME",
    help="A further name or address for the API server's certificate; may be repeated.",
)
@click.option(
    "--kubeconfig", metavar="FILE", help="Merge a context into this file.  [default: $KUBECONFIG or ~/.kube/config]"
)
@click.option("--nodes", type=click.IntRange(0, 64), help="Real nodes on this machine.  [default: 1]")
@click.option("--fake-nodes", type=click.IntRange(0, 10_000), help="Nodes that run pods only on paper.  [default: 0]")
@click.option(
    "--runtime",
    callback=_checked_runtime,
    metavar="auto|oci|cri[:SOCKET]|fake",
    help="What runs containers: this package with crun, a containerd of the node's own, one at SOCKET, paper.  [default: auto]",
)
@click.option(
    "--store",
    callback=_checked_store,
    metavar="sqlite|memory|etcd:URL[,URL]",
    help="Where objects are kept.  [default: sqlite]",
)
@click.option("--gateway-api", is_flag=True, default=None, help="Define Gateway API's kinds, and serve them.")
@click.option("--etcd-cafile", metavar="FILE", help="What https to etcd is checked by.")
@click.option("--etcd-certfile", metavar="FILE", help="The certificate that etcd knows this cluster by.")
@click.option("--etcd-keyfile", metavar="FILE", help="Its key.")
@click.option("--etcd-prefix", metavar="KEY", help="What the keys in etcd begin with.  [default: /steersman]")
@click.option(
    "--kubernetes-version",
    callback=_checked_release,
    metavar="1.NN",
    help="The release whose kinds and versions are served, 1.27 to 1.37.  [default: 1.37]",
)
@click.option(
    "--node-monitor-grace-period",
    "node_monitor_grace_seconds",
    type=click.FloatRange(0.1),
    metavar="SECONDS",
    help="Without heartbeats for this long, a node is NotReady.  [default: 4]",
)
@click.option(
    "--default-not-ready-toleration-seconds",
    "eviction_seconds",
    type=click.IntRange(0),
    metavar="SECONDS",
    help="How long pods stay on a node that is NotReady.  [default: 2]",
)
@click.option(
    "--node-status-update-frequency",
    "heartbeat_seconds",
    type=click.FloatRange(0.1),
    metavar="SECONDS",
    help="How often a node says that it is alive.  [default: 1]",
)
@click.option(
    "--ip-families",
    type=click.Choice(["IPv4", "IPv4,IPv6", "IPv6,IPv4"]),
    help="Address families of pods and Services, the default one first.  [default: IPv4]",
)
@click.option(
    "--cni-conf-dir",
    metavar="DIR",
    help="Connect pods by the CNI plugins configured there, as in /etc/cni/net.d.  [default: Steersman's own network]",
)
@click.option(
    "--kubelet-config",
    callback=_checked_kubelet_config,
    metavar="PATH",
    help="A KubeletConfiguration for real nodes, or a folder of *.conf files with parts of one: eviction, reservations, "
    "swap, logs, images, shutdown, backoff.",
)
@click.option(
    "--registry-hosts-dir",
    type=click.Path(exists=True, file_okay=False),
    callback=_absolute,
    metavar="DIR",
    help="Mirrors, certificates and headers of registries: REGISTRY/hosts.toml, as in /etc/containerd/certs.d.",
)
@click.option(
    "--image-credential-provider-config",
    type=click.Path(exists=True),
    callback=_absolute,
    metavar="PATH",
    help="A CredentialProviderConfig, or a folder of them: programs that know logins for registries.",
)
@click.option(
    "--image-credential-provider-bin-dir",
    type=click.Path(exists=True, file_okay=False),
    callback=_absolute,
    metavar="DIR",
    help="Where these programs are.",
)
@click.option(
    "--snapshotter",
    type=click.Choice(["auto", "overlayfs", "fuse-overlayfs", "copy"]),
    help="How containers get their root filesystems.  [default: auto: the first of these that works here]",
)
@click.option(
    "--load-balancer-pool",
    callback=_checked_pool,
    metavar="RANGES",
    help="Addresses for Services of type LoadBalancer: 192.168.1.240-192.168.1.250,fd00::/120.  [default: the nodes' own]",
)
@api_flags.options
@click.option("--example-images", is_flag=True, help="Build and load localhost/hello:1 and localhost/hello:2.")
@click.option("--ephemeral", is_flag=True, help="Run COMMAND against a cluster that ends with it and leaves nothing.")
@click.argument("ephemeral_command", metavar="[-- COMMAND...]", nargs=-1, type=click.UNPROCESSED)
def up(
    detach: bool,
    name: str,
    data_dir: str | None,
    kubeconfig: str | None,
    example_images: bool,
    ephemeral: bool,
    ephemeral_command: tuple[str, ...],
    **flags: Any,
) -> None:
    """Start a cluster.

    With --ephemeral, COMMAND finds its kubeconfig in $KUBECONFIG, and its exit code is passed on. The cluster has one node
    on paper, unless --fake-nodes or --nodes says otherwise.
    """
    if ephemeral != bool(ephemeral_command):
        raise click.UsageError("--ephemeral and a command belong together: steersman up --ephemeral -- COMMAND")
    _check_providers(flags["image_credential_provider_config"], flags["image_credential_provider_bin_dir"])
    if ephemeral:
        from steersman.testing import ephemeral as lasting

        sys.exit(lasting.run(ephemeral_command, {"name": name, **flags}))
    from steersman.cluster import up as command

    try:
        code = command.run(name, data_dir, flags, kubeconfig=kubeconfig, detach=detach, example_images=example_images)
    except OSError as problem:
        raise click.ClickException(str(problem)) from problem
    sys.exit(code)


@main.command()
@click.option("--purge", is_flag=True, help="Delete everything the cluster kept, too.")
@_name_option
def down(purge: bool, name: str, data_dir: str | None) -> None:
    """Stop a cluster and its containers; objects are kept for the next start."""
    from steersman.cluster import down as command

    sys.exit(command.run(name, data_dir, purge=purge))


@main.command()
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@_name_option
def status(output: str, name: str, data_dir: str | None) -> None:
    """Say what runs, where, and how healthy it is."""
    from steersman.cluster import status as command

    sys.exit(command.run(name, data_dir, output))


@main.command()
@click.argument("url", metavar="[URL]", default="")
@click.option(
    "--token", "--discovery-token", "token_text", default="", help="What `steersman token create` printed there."
)
@click.option(
    "--ca-cert-hash",
    "--discovery-token-ca-cert-hash",
    "pins",
    multiple=True,
    metavar="sha256:HASH",
    help="Of the key of the cluster's authority; may be repeated.",
)
@click.option(
    "--discovery-token-unsafe-skip-ca-verification",
    "unpinned",
    is_flag=True,
    help="Believe whoever knows the token, without a hash.",
)
@click.option(
    "--node-name",
    "node",
    callback=_checked_by("cluster.join.rules", "check_name"),
    metavar="NAME",
    help="What the node is called.  [default: as this machine]",
)
@click.option(
    "--node-ip",
    callback=_checked_by("cluster.reach", "check_advertise"),
    metavar="ADDRESS",
    help="This machine's address for the others.  [default: the one on the way to URL]",
)
@click.option(
    "--labels",
    callback=_checked_by("cluster.join.rules", "parse_labels"),
    metavar="KEY=VALUE,...",
    help="Labels that the Node is made with.",
)
@click.option(
    "--taints",
    callback=_checked_by("cluster.join.rules", "parse_taints"),
    metavar="KEY=VALUE:EFFECT,...",
    help="Taints that the Node is made with.",
)
@click.option(
    "--runtime",
    callback=_checked_by("cluster.join.rules", "check_runtime"),
    metavar="auto|oci|cri[:SOCKET]",
    help="What runs containers.  [default: auto]",
)
@click.option("--kubelet-config", callback=_checked_kubelet_config, metavar="PATH", help="As for `up`.")
@click.option(
    "--registry-hosts-dir",
    type=click.Path(exists=True, file_okay=False),
    callback=_absolute,
    metavar="DIR",
    help="As for `up`.",
)
@click.option("--snapshotter", type=click.Choice(["auto", "overlayfs", "fuse-overlayfs", "copy"]), help="As for `up`.")
@click.option("--foreground", is_flag=True, help="Stay until the node is stopped, as service managers want it.")
@click.option("--certificate-seconds", type=click.IntRange(600), hidden=True)
@_name_option
def join(
    url: str,
    token_text: str,
    pins: tuple[str, ...],
    unpinned: bool,
    foreground: bool,
    name: str,
    data_dir: str | None,
    **flags: Any,
) -> None:
    """Make this machine a worker node of the cluster at URL, which another machine runs.

    What to type is printed there by `steersman token create --print-join-command`. After a reboot, `steersman join` alone starts
    the node again. `steersman down` stops it, with --purge for good.
    """
    from steersman.cluster.join import command, invitation

    try:
        invited = invitation.parse(url, token_text, pins, unpinned=unpinned)
    except ValueError as problem:
        raise click.UsageError(str(problem)) from problem
    sys.exit(command.run(name, data_dir, invited, flags, foreground=foreground))


@main.group()
def token() -> None:
    """Tokens by which machines join."""


@token.command("create")
@click.argument("token_value", metavar="[TOKEN]", default="")
@click.option("--description", default="", help="What it is for.")
@click.option(
    "--groups",
    default=DEFAULT_TOKEN_GROUPS,
    show_default=True,
    callback=_checked_by("cluster.tokens", "check_groups"),
    metavar="GROUPS",
    help="Groups that its bearer is in.",
)
@click.option("--print-join-command", is_flag=True, help="Print what to type on the machine that shall join.")
@click.option(
    "--ttl",
    "ttl_seconds",
    default="24h0m0s",
    show_default=True,
    callback=_checked_by("cluster.tokens", "check_ttl"),
    metavar="DURATION",
    help="How long it is good for; 0: for ever.",
)
@click.option(
    "--usages",
    default="signing,authentication",
    show_default=True,
    callback=_checked_by("cluster.tokens", "check_usages"),
    metavar="USAGES",
    help="What it can be used for.",
)
@_name_option
def token_create(token_value: str, name: str, data_dir: str | None, **flags: Any) -> None:
    """Make a token, a random one or TOKEN, and print it."""
    from steersman.cluster import tokens

    sys.exit(tokens.create(name, data_dir, token=token_value, **flags))


@token.command("list")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text")
@_name_option
def token_list(output: str, name: str, data_dir: str | None) -> None:
    """List the cluster's tokens."""
    from steersman.cluster import tokens

    sys.exit(tokens.list_tokens(name, data_dir, output))


@token.command("delete")
@click.argument("names", metavar="TOKEN...", nargs=-1, required=True)
@_name_option
def token_delete(names: tuple[str, ...], name: str, data_dir: str | None) -> None:
    """Delete tokens, named whole or by what stands before the dot."""
    from steersman.cluster import tokens

    sys.exit(tokens.delete(names, name, data_dir))


@token.command("generate")
def token_generate() -> None:
    """Print a random token, for `token create TOKEN`."""
    from steersman.cluster import tokens

    sys.exit(tokens.generate())


@main.command()
@click.argument("file", metavar="FILE")
@_name_option
def backup(file: str, name: str, data_dir: str | None) -> None:
    """Write the cluster's objects, keys and options into FILE, while it runs or not.

    Not in it: images, what containers wrote, the data in volumes.
    """
    from steersman.cluster import backup as command

    sys.exit(command.backup(file, name, data_dir))


@main.command()
@click.argument("file", metavar="FILE", type=click.Path(exists=True, dir_okay=False))
@click.option("--force", is_flag=True, help="Replace the objects and keys of a cluster that is there.")
@_name_option
def restore(file: str, force: bool, name: str, data_dir: str | None) -> None:
    """Make a stopped or new cluster what FILE, a backup, says. The next `up` starts it."""
    from steersman.cluster import backup as command

    sys.exit(command.restore(file, name, data_dir, force=force))


@main.group()
def snapshot() -> None:
    """Copies of a cluster that it keeps by name: to go back to, or to fork."""


@snapshot.command("create")
@click.argument("snapshot_name", metavar="SNAPSHOT")
@_name_option
def snapshot_create(snapshot_name: str, name: str, data_dir: str | None) -> None:
    """Keep the cluster as it is now."""
    from steersman.cluster import snapshots as command

    sys.exit(command.create(snapshot_name, name, data_dir))


@snapshot.command("ls")
@_name_option
def snapshot_list(name: str, data_dir: str | None) -> None:
    """List the snapshots."""
    from steersman.cluster import snapshots as command

    sys.exit(command.list_all(name, data_dir))


@snapshot.command("rm")
@click.argument("snapshot_name", metavar="SNAPSHOT")
@_name_option
def snapshot_remove(snapshot_name: str, name: str, data_dir: str | None) -> None:
    """Forget one."""
    from steersman.cluster import snapshots as command

    sys.exit(command.remove(snapshot_name, name, data_dir))


@snapshot.command("restore")
@click.argument("snapshot_name", metavar="SNAPSHOT")
@_name_option
def snapshot_restore(snapshot_name: str, name: str, data_dir: str | None) -> None:
    """Make the cluster what it was then; one that runs is started anew."""
    from steersman.cluster import snapshots as command

    sys.exit(command.restore(snapshot_name, name, data_dir))


@main.command()
@click.argument("new", metavar="NEW", callback=_checked_name)
@click.option("--from", "source", default="", metavar="SNAPSHOT|FILE", help="A snapshot or a backup.  [default: now]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the fork's API server.  [default: a free one]")
@click.option("--fork-data-dir", metavar="DIR", help="Where the fork keeps its state.")
@click.option("--kubeconfig", metavar="FILE", help="As in `up`.")
@click.option("--force", is_flag=True, help="Replace a stopped cluster of that name.")
@_name_option
def fork(
    new: str,
    source: str,
    port: int | None,
    fork_data_dir: str | None,
    kubeconfig: str | None,
    force: bool,
    name: str,
    data_dir: str | None,
) -> None:
    """Start cluster NEW as a copy of this one, its nodes on paper: to try what you would not try here.

    The cluster itself is only asked. The fork is a cluster like any other: `steersman down --name NEW --purge` ends it.
    """
    from steersman.cluster import fork as command

    sys.exit(command.run(command.Wanted(new, source, port or 0, fork_data_dir, kubeconfig, force), name, data_dir))


@main.group()
def node() -> None:
    """Stop and start single nodes of this machine, as if their power was cut."""


@node.command("stop")
@click.argument("node_name", metavar="NODE")
@click.option("--graceful", is_flag=True, help="End its pods first, critical ones last, within their grace periods.")
@_name_option
def node_stop(node_name: str, graceful: bool, name: str, data_dir: str | None) -> None:
    """Cut a node's power: everything on it dies at once."""
    from steersman.cluster import node as command

    sys.exit(command.run("node-shutdown" if graceful else "node-stop", node_name, name, data_dir))


@node.command("start")
@click.argument("node_name", metavar="NODE")
@_name_option
def node_start(node_name: str, name: str, data_dir: str | None) -> None:
    """Switch a node on again."""
    from steersman.cluster import node as command

    sys.exit(command.run("node-start", node_name, name, data_dir))


@main.group()
def net() -> None:
    """The cluster's network."""


@net.command("trace")
@click.argument("pod", metavar="[NAMESPACE/]POD")
@click.argument("service", metavar="[NAMESPACE/]SERVICE")
@click.option("-n", "--namespace", default="default", show_default=True, help="Where the pod and the Service are.")
@click.option("--port", type=click.IntRange(1, 65535), help="The Service's port.  [default: its first]")
@_name_option
def net_trace(pod: str, service: str, namespace: str, port: int | None, name: str, data_dir: str | None) -> None:
    """Print a packet's way from a pod to a Service, rule by rule, as the kernel has them now."""
    from steersman.cluster import net as command

    sys.exit(command.run(pod, service, namespace, port or 0, name, data_dir))


@main.group()
def image() -> None:
    """The images that the cluster's nodes have."""


@image.command("load")
@click.argument(
    "archives", metavar="FILE.tar...", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False)
)
@_name_option
def image_load(archives: tuple[str, ...], name: str, data_dir: str | None) -> None:
    """Load images from OCI or `docker save` archives."""
    from steersman.cluster import image as command

    sys.exit(command.load(archives, name, data_dir))


@image.command("ls")
@_name_option
def image_list(name: str, data_dir: str | None) -> None:
    """List the images."""
    from steersman.cluster import image as command

    sys.exit(command.list_images(name, data_dir))


@image.command("rm")
@click.argument("references", metavar="IMAGE...", nargs=-1, required=True)
@_name_option
def image_remove(references: tuple[str, ...], name: str, data_dir: str | None) -> None:
    """Remove images."""
    from steersman.cluster import image as command

    sys.exit(command.remove(references, name, data_dir))


@main.command(context_settings={**CONTEXT, "ignore_unknown_options": True, "allow_interspersed_args": False})
@_name_option
@click.argument("moment", metavar="MOMENT")
@click.argument("command", metavar="KUBECTL_COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
def at(moment: str, command: tuple[str, ...], name: str, data_dir: str | None) -> None:
    """Run kubectl against the cluster as it was: steersman at 10m-ago get pods.

    MOMENT is so long ago (90s, 10m-ago), a time (2026-01-02T15:04:05Z) or a revision. The past can only be read.
    """
    from steersman.cluster.past import at as looking

    sys.exit(looking.run(moment, command, name, data_dir))


@main.command()
@click.argument("words", metavar="KIND/NAME", nargs=-1, required=True)
@click.option("-n", "--namespace", default="default", show_default=True, help="Where the object is.")
@_name_option
def history(words: tuple[str, ...], namespace: str, name: str, data_dir: str | None) -> None:
    """Tell an object's changes: when, by whom, and what."""
    from steersman.cluster.past import history as telling

    sys.exit(telling.run(words, namespace, name, data_dir))


@main.command()
@click.argument("moment", metavar="MOMENT")
@click.option("--dry-run", is_flag=True, help="Only say what would happen.")
@_name_option
def rewind(moment: str, dry_run: bool, name: str, data_dir: str | None) -> None:
    """Bring the cluster's objects back to what they were: steersman rewind 5m-ago.

    What was deleted since comes back, what was changed is changed back, what is new is deleted. Nodes, statuses and the data in
    volumes stay as they are, and pods are started anew. A rewind can be rewound.
    """
    from steersman.cluster.past import rewind as going

    sys.exit(going.run(moment, dry_run, name, data_dir))


@main.command()
@click.option(
    "--lose",
    "lost",
    multiple=True,
    metavar="NODE|KEY=VALUE",
    help="Nodes that lose their power at once: by name or label.",
)
@click.option(
    "--drain",
    "drained",
    multiple=True,
    metavar="NODE|KEY=VALUE",
    help="Nodes whose pods are evicted, as budgets allow.",
)
@click.option(
    "--apply",
    "applied",
    multiple=True,
    metavar="FILE",
    type=click.Path(exists=True),
    help="Manifests that are applied.",
)
@click.option(
    "--for",
    "duration",
    default="5m",
    show_default=True,
    callback=_checked_duration,
    help="How long to watch, in the cluster's time.",
)
@_name_option
def simulate(
    lost: tuple[str, ...],
    drained: tuple[str, ...],
    applied: tuple[str, ...],
    duration: float,
    name: str,
    data_dir: str | None,
) -> None:
    """Tell what would happen: steersman simulate --lose topology.kubernetes.io/zone=a.

    Tried on a copy of the cluster on paper, in virtual time; the cluster itself is only asked. Exit code 2: a Service or workload
    was without any ready pod for a while, or a pod finds no node.
    """
    from steersman.simulation.what_if import command
    from steersman.simulation.what_if.scenario import Scenario

    sys.exit(command.run(Scenario(lost, drained, tuple(map(pathlib.Path, applied))), duration, name, data_dir))


@main.command()
@click.argument("words", metavar="KIND/NAME", nargs=-1, required=True)
@click.option("-n", "--namespace", default="default", show_default=True, help="Where the object is.")
@_name_option
def why(words: tuple[str, ...], namespace: str, name: str, data_dir: str | None) -> None:
    """Tell why an object is as it is: what led to it, what became of it, what speaks against nodes for a pod."""
    from steersman.cluster.past import why as telling

    sys.exit(telling.run(words, namespace, name, data_dir))
