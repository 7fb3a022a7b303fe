"""The table of verbs: how each is called, which module carries it out, what the help page says in a line.

A module under `commands` has `FLAGS`, `async def run(call) -> int | None`, and for its help page `USAGE`, `HELP`, `EXAMPLES`.
It is imported when its verb is called. A row without a module groups others (`rollout`).
"""

import importlib
from collections.abc import Sequence
from typing import Any, NamedTuple

# Headings of the help page.
BEGINNER = "Basic Commands (Beginner)"
INTERMEDIATE = "Basic Commands (Intermediate)"
DEPLOY = "Deploy Commands"
CLUSTER = "Cluster Management Commands"
TROUBLESHOOTING = "Troubleshooting and Debugging Commands"
ADVANCED = "Advanced Commands"
SETTINGS = "Settings Commands"
OTHER = "Other Commands"
GROUPS = (BEGINNER, INTERMEDIATE, DEPLOY, CLUSTER, TROUBLESHOOTING, ADVANCED, SETTINGS, OTHER)


class Verb(NamedTuple):
    """`path` as it is typed: "create configmap". `module` is under `commands`, "" for a group of verbs, with its `usage`."""

    path: str
    module: str
    summary: str
    group: str = ""
    aliases: tuple[str, ...] = ()
    hidden: bool = False
    usage: str = "SUBCOMMAND"

    def load(self) -> Any:
        return importlib.import_module(f"steersman.kubectl.commands.{self.module}")


# What creates and changes.
_WRITING = (
    Verb("create", "create.manifests", "Create a resource from a file or from stdin", BEGINNER),
    Verb("create clusterrole", "create.clusterrole", "Create a cluster role"),
    Verb(
        "create clusterrolebinding",
        "create.clusterrolebinding",
        "Create a cluster role binding for a particular cluster role",
    ),
    Verb(
        "create configmap",
        "create.configmap",
        "Create a config map from a local file, directory or literal value",
        aliases=("cm",),
    ),
    Verb("create cronjob", "create.cronjob", "Create a cron job with the specified name", aliases=("cj",)),
    Verb("create deployment", "create.deployment", "Create a deployment with the specified name", aliases=("deploy",)),
    Verb("create ingress", "create.ingress", "Create an ingress with the specified name", aliases=("ing",)),
    Verb("create job", "create.job", "Create a job with the specified name"),
    Verb("create namespace", "create.namespace", "Create a namespace with the specified name", aliases=("ns",)),
    Verb(
        "create poddisruptionbudget",
        "create.poddisruptionbudget",
        "Create a pod disruption budget with the specified name",
        aliases=("pdb",),
    ),
    Verb(
        "create priorityclass",
        "create.priorityclass",
        "Create a priority class with the specified name",
        aliases=("pc",),
    ),
    Verb("create quota", "create.quota", "Create a quota with the specified name", aliases=("resourcequota",)),
    Verb("create role", "create.role", "Create a role with single rule"),
    Verb("create rolebinding", "create.rolebinding", "Create a role binding for a particular role or cluster role"),
    Verb(
        "create secret",
        "",
        "Create a secret using a specified subcommand",
        usage="(docker-registry | generic | tls)",
    ),
    Verb(
        "create secret docker-registry",
        "create.secret_docker_registry",
        "Create a secret for use with a Docker registry",
    ),
    Verb(
        "create secret generic",
        "create.secret_generic",
        "Create a secret from a local file, directory, or literal value",
    ),
    Verb("create secret tls", "create.secret_tls", "Create a TLS secret"),
    Verb("create service", "", "Create a service using a specified subcommand", aliases=("svc",), usage="[flags]"),
    Verb("create service clusterip", "create.service_clusterip", "Create a ClusterIP service"),
    Verb("create service externalname", "create.service_externalname", "Create an ExternalName service"),
    Verb("create service loadbalancer", "create.service_loadbalancer", "Create a LoadBalancer service"),
    Verb("create service nodeport", "create.service_nodeport", "Create a NodePort service"),
    Verb(
        "create serviceaccount",
        "create.serviceaccount",
        "Create a service account with the specified name",
        aliases=("sa",),
    ),
    Verb("create token", "create.token", "Request a service account token"),
    Verb(
        "delete",
        "delete",
        "Delete resources by file names, stdin, resources and names, or by resources and label selector",
        INTERMEDIATE,
    ),
    Verb("apply", "apply.manifests", "Apply a configuration to a resource by file name or stdin", ADVANCED),
    Verb(
        "apply edit-last-applied",
        "apply.edit_last_applied",
        "Edit latest last-applied-configuration annotations of a resource/object",
    ),
    Verb(
        "apply set-last-applied",
        "apply.set_last_applied",
        "Set the last-applied-configuration annotation on a live object to match the contents of a file",
    ),
    Verb(
        "apply view-last-applied",
        "apply.view_last_applied",
        "View the latest last-applied-configuration annotations of a resource/object",
    ),
    Verb("patch", "patch", "Update fields of a resource", ADVANCED),
    Verb("edit", "edit", "Edit a resource on the server", INTERMEDIATE),
    Verb("replace", "replace", "Replace a resource by file name or stdin", ADVANCED),
    Verb("diff", "diff", "Diff the live version against a would-be applied version", ADVANCED),
    Verb("run", "run", "Run a particular image on the cluster", BEGINNER),
    Verb(
        "expose",
        "expose",
        "Take a replication controller, service, deployment or pod and expose it as a new Kubernetes service",
        BEGINNER,
    ),
    Verb("scale", "scale", "Set a new size for a deployment, replica set, or replication controller", DEPLOY),
    Verb(
        "autoscale",
        "autoscale",
        "Auto-scale a deployment, replica set, stateful set, or replication controller",
        DEPLOY,
    ),
    Verb("set", "", "Set specific features on objects", BEGINNER),
    Verb("set env", "set.env", "Update environment variables on a pod template"),
    Verb("set image", "set.image", "Update the image of a pod template"),
    Verb("set resources", "set.resources", "Update resource requests/limits on objects with pod templates"),
    Verb("set selector", "set.selector", "Set the selector on a resource"),
    Verb("set serviceaccount", "set.serviceaccount", "Update the service account of a resource", aliases=("sa",)),
    Verb(
        "set subject",
        "set.subject",
        "Update the user, group, or service account in a role binding or cluster role binding",
    ),
    Verb("kustomize", "kustomize", "Build a kustomization target from a directory or URL", ADVANCED),
    Verb("label", "label", "Update the labels on a resource", SETTINGS),
    Verb("annotate", "annotate", "Update the annotations on a resource", SETTINGS),
)

TABLE = (
    # Looking
    Verb("get", "get", "Display one or many resources", INTERMEDIATE),
    Verb("describe", "describe", "Show details of a specific resource or group of resources", TROUBLESHOOTING),
    Verb("events", "events", "List events", TROUBLESHOOTING),
    Verb("top", "", "Display resource (CPU/memory) usage", CLUSTER, usage="[flags]"),
    Verb("top node", "top_node", "Display resource (CPU/memory) usage of nodes", aliases=("nodes", "no")),
    Verb("top pod", "top_pod", "Display resource (CPU/memory) usage of pods", aliases=("pods", "po")),
    Verb("auth", "", "Inspect authorization", TROUBLESHOOTING, usage="[flags]"),
    Verb("auth can-i", "auth_can_i", "Check whether an action is allowed"),
    Verb(
        "auth reconcile",
        "auth_reconcile",
        "Reconciles rules for RBAC role, role binding, cluster role, and cluster role binding objects",
    ),
    Verb("auth whoami", "auth_whoami", "Experimental: Check self subject attributes"),
    *_WRITING,
    Verb("explain", "explain", "Get documentation for a resource", INTERMEDIATE),
    Verb("wait", "wait", "Experimental: Wait for a specific condition on one or many resources", ADVANCED),
    # The cluster as a whole
    Verb("api-resources", "api_resources", "Print the supported API resources on the server", OTHER),
    Verb("api-versions", "api_versions", 'Print the supported API versions on the server, as "group/version"', OTHER),
    Verb("cluster-info", "cluster_info", "Display cluster information", CLUSTER),
    Verb("cluster-info dump", "cluster_info_dump", "Dump relevant information for debugging and diagnosis"),
    Verb("version", "version", "Print the client and server version information", OTHER),
    # The kubeconfig
    Verb("config", "", "Modify kubeconfig files", OTHER),
    Verb("config current-context", "config.current_context", "Display the current-context"),
    Verb("config delete-cluster", "config.delete_cluster", "Delete the specified cluster from the kubeconfig"),
    Verb("config delete-context", "config.delete_context", "Delete the specified context from the kubeconfig"),
    Verb("config delete-user", "config.delete_user", "Delete the specified user from the kubeconfig"),
    Verb("config get-clusters", "config.get_clusters", "Display clusters defined in the kubeconfig"),
    Verb("config get-contexts", "config.get_contexts", "Describe one or many contexts"),
    Verb("config get-users", "config.get_users", "Display users defined in the kubeconfig"),
    Verb("config rename-context", "config.rename_context", "Rename a context from the kubeconfig file"),
    Verb("config set", "config.set", "Set an individual value in a kubeconfig file"),
    Verb("config set-cluster", "config.set_cluster", "Set a cluster entry in kubeconfig"),
    Verb("config set-context", "config.set_context", "Set a context entry in kubeconfig"),
    Verb("config set-credentials", "config.set_credentials", "Set a user entry in kubeconfig"),
    Verb("config unset", "config.unset", "Unset an individual value in a kubeconfig file"),
    Verb("config use-context", "config.use_context", "Set the current-context in a kubeconfig file", aliases=("use",)),
    Verb("config view", "config.view", "Display merged kubeconfig settings or a specified kubeconfig file"),
    # The program itself
    Verb(
        "completion", "completion", "Output shell completion code for the specified shell (bash, zsh, fish)", SETTINGS
    ),
    Verb("__complete", "complete", "Say what may stand next", aliases=("__completeNoDesc",), hidden=True),
    Verb("help", "help", "Help about any command", hidden=True),
    Verb("options", "options", "Print the list of flags inherited by all commands", hidden=True),
    Verb("plugin", "", "Provides utilities for interacting with plugins", OTHER),
    Verb("plugin list", "plugin_list", "List all visible plugin executables on a user's PATH"),
    # Rollouts
    Verb("rollout", "", "Manage the rollout of a resource", DEPLOY),
    Verb("rollout history", "rollout_history", "View rollout history"),
    Verb("rollout pause", "rollout_pause", "Mark the provided resource as paused"),
    Verb("rollout restart", "rollout_restart", "Restart a resource"),
    Verb("rollout resume", "rollout_resume", "Resume a paused resource"),
    Verb("rollout status", "rollout_status", "Show the status of the rollout"),
    Verb("rollout undo", "rollout_undo", "Undo a previous rollout"),
    # Nodes
    Verb("certificate", "", "Modify certificate resources", CLUSTER),
    Verb("certificate approve", "certificate_approve", "Approve a certificate signing request"),
    Verb("certificate deny", "certificate_deny", "Deny a certificate signing request"),
    Verb("cordon", "cordon", "Mark node as unschedulable", CLUSTER),
    Verb("uncordon", "uncordon", "Mark node as schedulable", CLUSTER),
    Verb("drain", "drain", "Drain node in preparation for maintenance", CLUSTER),
    Verb("taint", "taint", "Update the taints on one or more nodes", CLUSTER),
    # Into pods
    Verb("logs", "logs", "Print the logs for a container in a pod", TROUBLESHOOTING),
    Verb("debug", "debug", "Create debugging sessions for troubleshooting workloads and nodes", TROUBLESHOOTING),
    Verb("attach", "attach", "Attach to a running container", TROUBLESHOOTING),
    Verb("exec", "exec", "Execute a command in a container", TROUBLESHOOTING),
    Verb("port-forward", "port_forward", "Forward one or more local ports to a pod", TROUBLESHOOTING),
    Verb("proxy", "proxy", "Run a proxy to the Kubernetes API server", TROUBLESHOOTING),
    Verb("cp", "cp", "Copy files and directories to and from containers", TROUBLESHOOTING),
)

# In which order the help page, and suggestions for what was mistyped, name the first words.
ORDER = """
create expose run set explain get edit delete rollout scale autoscale
certificate cluster-info top cordon uncordon drain taint
describe logs attach exec port-forward proxy cp auth debug events
diff apply patch replace wait kustomize label annotate completion
api-resources api-versions config plugin version
"""

_BY_WORDS = {(*verb.path.split()[:-1], name): verb for verb in TABLE for name in (verb.path.split()[-1], *verb.aliases)}


def find(words: Sequence[str]) -> Verb | None:
    return _BY_WORDS.get(tuple(words))


def first_words() -> list[Verb]:
    """In their order."""
    order = ORDER.split()
    return sorted(below(""), key=lambda verb: order.index(verb.path) if verb.path in order else len(order))


def below(path: str) -> list[Verb]:
    """The verbs that a group has; all first words for ""."""
    depth = len(path.split()) + 1
    return [
        verb for verb in TABLE if len(verb.path.split()) == depth and f"{verb.path} ".startswith(f"{path} ".lstrip())
    ]


def is_first_word(word: str) -> bool:
    return (word,) in _BY_WORDS
