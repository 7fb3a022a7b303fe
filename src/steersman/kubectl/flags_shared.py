"""Flags that many verbs have, each set standing once."""

from steersman.kubectl import flags
from steersman.kubectl.flags import Flag

# Of every verb.
GLOBAL = (
    Flag("as", help="User to act as, of whom the server is told: a user or a service account in a namespace."),
    Flag("as-group", flags.STRINGS, help="Group to act as a member of; may be given again."),
    Flag("as-uid", help="UID to act as."),
    Flag(
        "cache-dir", default="$HOME/.kube/cache", help="Where other kubectls keep what they know of servers; not used."
    ),
    Flag("certificate-authority", help="File with the certificate that the server's is checked by."),
    Flag("client-certificate", help="File with the client's TLS certificate."),
    Flag("client-key", help="File with the client's TLS key."),
    Flag("cluster", help="Name of the cluster in the kubeconfig."),
    Flag("context", help="Name of the context in the kubeconfig."),
    Flag("disable-compression", flags.BOOL, help="Do not ask the server for compressed answers."),
    Flag("insecure-skip-tls-verify", flags.BOOL, help="Trust whatever certificate the server shows. Not safe."),
    Flag("kubeconfig", help="The kubeconfig file to use."),
    Flag("log-flush-frequency", flags.DURATION, 5.0, help="Time between two writes of the log."),
    Flag("match-server-version", flags.BOOL, help="Refuse servers of another version."),
    Flag("namespace", short="n", help="The namespace that the command is about."),
    Flag("password", help="Password for basic authentication."),
    Flag("profile", default="none", help="Profile to take: one of (none|cpu|heap|goroutine|threadcreate|block|mutex)."),
    Flag("profile-output", default="profile.pprof", help="File that the profile is written to."),
    Flag("request-timeout", default="0", help="How long to wait for one answer (1s, 2m, 3h); 0 is for ever."),
    Flag("server", short="s", help="Address and port of the API server."),
    Flag("tls-server-name", help="Name that the server's certificate must be for, instead of the host's."),
    Flag("token", help="Bearer token for the API server."),
    Flag("user", help="Name of the user in the kubeconfig."),
    Flag("username", help="User name for basic authentication."),
    Flag("v", flags.INT, short="v", help="How much to log."),
    Flag("vmodule", help="How much to log, for each file: pattern=N,…"),
    Flag("warnings-as-errors", flags.BOOL, help="A warning from the server makes the command fail."),
)
HELP = Flag("help", flags.BOOL, short="h", hidden=True)


def filenames(what: str, *, kustomize: bool = True) -> tuple[Flag, ...]:
    """`-f`, `-k`, `-R`; `what` ends the help of the first: "to get from a server"."""
    found: tuple[Flag, ...] = (
        Flag("filename", flags.LIST, short="f", help=f"File, folder or URL that names the resources {what}."),
        Flag("recursive", flags.BOOL, short="R", help="Read the folders in a folder given with -f, too."),
    )
    if kustomize:
        found += (Flag("kustomize", short="k", help="A folder with a kustomization; not together with -f or -R."),)
    return found


SELECTOR = Flag(
    "selector", short="l", help="Label query: '=', '==', '!=', 'in', 'notin', each separated by a comma (-l a=1,b!=2)."
)
FIELD_SELECTOR = Flag(
    "field-selector", help="Field query: '=', '==', '!=' (--field-selector a=1,b=2), as the server allows."
)
ALL_NAMESPACES = Flag("all-namespaces", flags.BOOL, short="A", help="In every namespace, whatever --namespace says.")
CHUNK_SIZE = Flag("chunk-size", flags.INT, 500, help="Fetch long lists in pieces of this size; 0 for whole lists.")
SUBRESOURCE = Flag("subresource", help="The subresource of the object to work on.")
DRY_RUN = Flag(
    "dry-run",
    default="none",
    bare="unchanged",
    help='"none", "server" or "client": do it, let the server try it, or only print what would be sent.',
)
SHOW_MANAGED_FIELDS = Flag("show-managed-fields", flags.BOOL, help="Keep managedFields in JSON and YAML.")
VALIDATE = Flag(
    "validate",
    default="strict",
    bare="strict",
    help='What to do with unknown or repeated fields: "strict" ("true"), "warn", "ignore" ("false").',
)
TEMPLATE_FLAGS = (
    Flag("allow-missing-template-keys", flags.BOOL, True, help="Templates may ask for fields that are not there."),
    Flag("template", help="The template, or the file with it, for -o=go-template and -o=go-template-file."),
)
# What verbs that say what they did print (`deployment.apps/web created`), or the object with -o.
PRINT = (
    Flag(
        "output",
        short="o",
        help="Output format. One of: (json, yaml, name, go-template, go-template-file, template, templatefile, jsonpath, "
        "jsonpath-as-json, jsonpath-file).",
    ),
    *TEMPLATE_FLAGS,
    SHOW_MANAGED_FIELDS,
)


def field_manager(default: str) -> Flag:
    return Flag("field-manager", default=default, help="Name that stands for who owns the fields that are set.")
