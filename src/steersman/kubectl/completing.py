"""What may stand next on a command line: verbs, flags, values of flags, types, names of objects.

`wanted` decides from the words what kind of thing it is (pure); `candidates` looks them up. What is offered for a half-written
word begins with it.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from steersman.aio import tasks
from steersman.kubectl import flags, verbs
from steersman.kubectl.flags import Flag
from steersman.kubectl.problems import TOLD

if TYPE_CHECKING:
    from steersman.kubectl.call import Call

# Kinds of things: words that are known here, types and then names, names of one type, contexts …, files.
WORDS, TYPES, NAMES, CONFIG, FILES, NOTHING = "words", "types", "names", "config", "files", "nothing"

_TYPED = (
    "get describe delete edit label annotate patch wait expose scale autoscale replace set-image events "
    "apply-edit-last-applied apply-view-last-applied"
)
_OF_WORKLOADS = "deployments daemonsets statefulsets"
# Verb → the types whose names it takes; "" for those that take a type first.
ARGUMENTS: Mapping[str, str] = {
    **dict.fromkeys(_TYPED.split(), ""),
    **dict.fromkeys(("logs", "exec", "attach", "port-forward", "cp", "debug"), "pods"),
    **dict.fromkeys(("drain", "cordon", "uncordon", "top node"), "nodes"),
    "top pod": "pods",
    **{f"rollout {one}": _OF_WORKLOADS for one in ("status", "history", "undo", "restart", "pause", "resume")},
    **dict.fromkeys(("certificate approve", "certificate deny"), "certificatesigningrequests"),
    "create token": "serviceaccounts",
}
_CONFIG_ARGUMENTS: Mapping[str, str] = {
    **{
        f"config {one}": "contexts"
        for one in ("use-context", "delete-context", "rename-context", "get-contexts", "set-context")
    },
    **{f"config {one}": "clusters" for one in ("delete-cluster", "set-cluster")},
    **{f"config {one}": "users" for one in ("delete-user", "set-credentials")},
}
_FLAG_VALUES: Mapping[str, tuple[str, str]] = {
    "namespace": (NAMES, "namespaces"),
    "context": (CONFIG, "contexts"),
    "cluster": (CONFIG, "clusters"),
    "user": (CONFIG, "users"),
    "filename": (FILES, ""),
    "kubeconfig": (FILES, ""),
    "kustomize": (FILES, ""),
}
OUTPUTS = ("json", "yaml", "name", "wide", "go-template=", "jsonpath=", "custom-columns=")
# How long the server may take before nothing is offered.
SECONDS_MAX = 3.0


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """`what` is a kind of thing; `of` the types, or the section of a kubeconfig; `words` are those known already, with what they
    mean. `prefix` stands before each candidate (`pod/`, `--namespace=`)."""

    what: str
    of: str = ""
    words: tuple[tuple[str, str], ...] = ()
    prefix: str = ""


def wanted(path: str, module: Any, rest: Sequence[str], word: str, known: Sequence[Flag]) -> Wanted:
    """`path` and `module` of the verb ("" and None for none), `rest` the words before `word` that did not name the verb."""
    by_name = {flag.name: flag for flag in known}
    by_short = {flag.short: flag for flag in known if flag.short}
    before = rest[-1] if rest else ""
    if before.startswith("-") and "=" not in before and "--" not in rest:
        flag = by_name.get(before[2:]) if before.startswith("--") else by_short.get(before[-1])
        if flag is not None and flag.needs_value:
            return _value_of(flag, "")
    if word.startswith("-") and "--" not in rest:
        name, equals, _ = word.lstrip("-").partition("=")
        if equals and name in by_name:
            return _value_of(by_name[name], f"{word.partition('=')[0]}=")
        return Wanted(WORDS, words=tuple((f"--{flag.name}", flag.help) for flag in known if not flag.hidden))
    below = tuple((verb.path.split()[-1], verb.summary) for verb in verbs.below(path) if not verb.hidden)
    arguments = _arguments(rest, known)
    if below and not arguments:
        return Wanted(WORDS, words=below)
    if path in _CONFIG_ARGUMENTS and not arguments:
        return Wanted(CONFIG, _CONFIG_ARGUMENTS[path])
    if path == "explain" and not arguments:
        return Wanted(TYPES)
    return _argument(path, arguments, word) if module is not None else Wanted(NOTHING)


def _argument(path: str, arguments: Sequence[str], word: str) -> Wanted:
    kinds = ARGUMENTS.get(path)
    if kinds is None:
        return Wanted(NOTHING)
    if "/" in word:
        kind = word.partition("/")[0]
        return Wanted(NAMES, kind, prefix=f"{kind}/")
    if kinds and not arguments:
        types = kinds.split()
        return Wanted(NAMES, kinds) if len(types) == 1 else Wanted(NAMES, kinds, prefix="TYPE/")
    if kinds:
        return Wanted(NOTHING)
    if not arguments:
        return Wanted(TYPES)
    return Wanted(NOTHING) if "/" in arguments[0] else Wanted(NAMES, arguments[0])


def _value_of(flag: Flag, prefix: str) -> Wanted:
    if flag.name == "output":
        return Wanted(WORDS, words=tuple((one, "") for one in OUTPUTS), prefix=prefix)
    what, of = _FLAG_VALUES.get(flag.name, (NOTHING, ""))
    return Wanted(what, of, prefix=prefix)


def _arguments(rest: Sequence[str], known: Sequence[Flag]) -> tuple[str, ...]:
    try:
        return flags.parse(rest, known).arguments
    except flags.FlagError:
        return ()


async def candidates(call: "Call", want: Wanted) -> list[tuple[str, str]]:
    """Words with descriptions; none where the server does not tell in time."""
    found: Iterable[tuple[str, str]] = want.words
    try:
        async with call.clock.timeout(SECONDS_MAX):
            match want.what:
                case "config":
                    found = _from_config(call, want.of)
                case "types":
                    found = await _types(call)
                case "names":
                    found = await _names(call, want)
    except (*TOLD, TimeoutError):
        return []
    prefix = "" if want.prefix == "TYPE/" else want.prefix
    return [(f"{prefix}{word}", about) for word, about in found]


def _from_config(call: "Call", section: str) -> list[tuple[str, str]]:
    from steersman.kubectl import config_shape
    from steersman.kubectl.config_files import ConfigFiles

    return [(name, "") for name in config_shape.names(ConfigFiles(call.flags, call.environment).merged, section)]


async def _types(call: "Call") -> list[tuple[str, str]]:
    resources = (await call.discovery()).preferred()
    seen: dict[str, str] = {}
    for one in resources:
        if "get" in one.verbs or "list" in one.verbs:
            seen.setdefault(one.plural if one.plural not in seen else one.qualified, one.kind)
    return list(seen.items())


async def _names(call: "Call", want: Wanted) -> list[tuple[str, str]]:
    from steersman.kubectl import builder

    discovery = await call.discovery()
    kinds = want.of.split()
    resources = [discovery.find(kind) for kind in kinds]
    query = builder.Query(namespace=call.namespace, chunk_size=0)
    lists = await tasks.together(*(_listed(call, query, resource) for resource in resources))
    found = []
    for resource, objects in zip(resources, lists, strict=True):
        before = f"{resource.singular or resource.plural}/" if len(kinds) > 1 else ""
        found += [(f"{before}{obj['metadata']['name']}", "") for obj in objects]
    return found


async def _listed(call: "Call", query: Any, resource: Any) -> list[Any]:
    from steersman.kubectl import builder

    return [obj async for page in builder.list_pages(call, query, resource) for obj in page.get("items") or []]
