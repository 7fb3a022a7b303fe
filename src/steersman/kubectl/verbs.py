"""The table of verbs: how each is called, which module carries it out, what the help page says in a line.

A module under `commands` has `FLAGS`, `async def run(call) -> int | None`, and for its help page `USAGE`, `HELP`, `EXAMPLES`.
It is imported when its verb is called. A row without a module groups others (`rollout`).
"""

import dataclasses
import importlib
from collections.abc import Sequence
from typing import Any

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


@dataclasses.dataclass(frozen=True, slots=True)
class Verb:
    """`path` as it is typed: "create configmap". `module` is under `commands`, "" for a group of verbs."""

    path: str
    module: str
    summary: str
    group: str = ""
    aliases: tuple[str, ...] = ()
    hidden: bool = False

    def load(self) -> Any:
        return importlib.import_module(f"steersman.kubectl.commands.{self.module}")


TABLE = (
    # Looking
    Verb("get", "get", "Display one or many resources", INTERMEDIATE),
    Verb("describe", "describe", "Show details of a specific resource or group of resources", TROUBLESHOOTING),
    Verb("events", "events", "List events", TROUBLESHOOTING),
    Verb("top", "", "Display resource (CPU/memory) usage", CLUSTER),
    Verb("top node", "top_node", "Display resource (CPU/memory) usage of nodes", aliases=("nodes", "no")),
    Verb("top pod", "top_pod", "Display resource (CPU/memory) usage of pods", aliases=("pods", "po")),
    Verb("auth", "", "Inspect authorization", TROUBLESHOOTING),
    Verb("auth can-i", "auth_can_i", "Check whether an action is allowed"),
    Verb(
        "auth reconcile",
        "auth_reconcile",
        "Reconciles rules for RBAC role, role binding, cluster role, and cluster role binding objects",
    ),
    Verb("auth whoami", "auth_whoami", "Experimental: Check self subject attributes"),
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
    Verb("help", "help", "Help about any command", hidden=True),
    Verb("options", "options", "Print the list of flags inherited by all commands", hidden=True),
    Verb("plugin", "", "Provides utilities for interacting with plugins", OTHER),
    Verb("plugin list", "plugin_list", "List all visible plugin executables on a user's PATH"),
)

_BY_WORDS = {(*verb.path.split()[:-1], name): verb for verb in TABLE for name in (verb.path.split()[-1], *verb.aliases)}


def find(words: Sequence[str]) -> Verb | None:
    return _BY_WORDS.get(tuple(words))


def below(path: str) -> list[Verb]:
    """The verbs that a group has; all first words for ""."""
    depth = len(path.split()) + 1
    return [
        verb for verb in TABLE if len(verb.path.split()) == depth and f"{verb.path} ".startswith(f"{path} ".lstrip())
    ]


def is_first_word(word: str) -> bool:
    return (word,) in _BY_WORDS
