"""May this user do this: system:masters always, others by the modes that are set: what their pods need for nodes, roles for all.

The answer no is upstream's 403.

Keeps true: answers follow the roles and bindings in the store within one turn of the event loop.
Reads: Roles, RoleBindings, ClusterRoles, ClusterRoleBindings. Writes: nothing.
"""

import contextlib
import logging
from collections.abc import Sequence

import orjson

from steersman.api import kinds
from steersman.apiserver import keys, rbac, users
from steersman.apiserver.attributes import ALLOWED, NO_OPINION, Attributes, Decision
from steersman.apiserver.node_authorizer.authorizer import NodeAuthorizer
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.store import contract

log = logging.getLogger(__name__)

EXPLANATIONS_MAX = (
    4096  # remembered reasons: of policies that ask, and of clients that ask for the same in vain again and again
)
NODE, RBAC, ALWAYS_ALLOW, ALWAYS_DENY = MODES = ("Node", "RBAC", "AlwaysAllow", "AlwaysDeny")
DEFAULT_MODES = (NODE, RBAC)
ANSWERS_MAX = 65536  # remembered answers; dropped as a whole when full and whenever a rule changes

_KINDS = (kinds.ROLE, kinds.ROLE_BINDING, kinds.CLUSTER_ROLE, kinds.CLUSTER_ROLE_BINDING)
_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})
_PREFIX = "/rbac.authorization.k8s.io/"


class Authorizer:
    """`start` reads all rules, `run` follows them; between the two and ever after `allows` is a dictionary look-up."""

    def __init__(self, store: contract.Store, nodes: NodeAuthorizer, modes: Sequence[str] = DEFAULT_MODES) -> None:
        """None of the modes refuses what another one allows: their order is that of the reasons."""
        self._store = store
        self._nodes = nodes
        self._modes = tuple(modes)
        self._all_may = ALWAYS_ALLOW in modes
        self._nodes_may, self._rules_count = NODE in modes, RBAC in modes
        self._objects: dict[str, dict[str, Object]] = {}
        self._revision = 0
        self._rules: rbac.Rules | None = rbac.Rules()
        self._answers: dict[tuple[object, ...], bool] = {}
        self._explanations: dict[tuple[object, ...], Decision] = {}

    async def start(self) -> None:
        self._objects = {}
        page = await self._store.list(_PREFIX)
        self._revision = page.revision
        for kind in _KINDS:
            self._objects[keys.prefix(kind)] = {}
        for entry in page.entries:
            self._put(entry.key, orjson.loads(entry.value))
        self._forget_answers()

    async def run(self) -> None:
        """Follow the rules until cancelled."""
        while True:
            try:
                with contextlib.closing(self._store.watch(_PREFIX, self._revision)) as watch:
                    async for batch in watch:
                        self._follow(batch)
                return
            except (contract.Compacted, contract.Overrun) as gap:
                log.warning("the rules are read again: %r", gap)
                await self.start()

    def allows(self, user: users.User, asked: Attributes) -> bool:
        if user.is_master or self._all_may:
            return True
        node = user.node
        if node is not None and self._nodes_may and self._nodes.decide(node, asked).allowed:
            return True
        if not self._rules_count:
            return False
        # A rule that names no objects is about all of them: there are fewer such answers than objects.
        if asked.name and self._answer(user, asked, ""):
            return True
        return self._answer(user, asked, asked.name)

    def decide(self, user: users.User, asked: Attributes) -> Decision:
        """The same with the reason, for those who ask why; `allows` is for those who only go on."""
        if user.is_master:
            return ALLOWED
        reasons = []
        for mode in self._modes:
            decision = self._decide(mode, user, asked)
            if decision.allowed:
                return decision
            reasons.append(decision.reason)
        return Decision(allowed=False, reason="\n".join(filter(None, reasons)))

    def _decide(self, mode: str, user: users.User, asked: Attributes) -> Decision:
        match mode:
            case "Node":
                return self._nodes.decide(user.node, asked) if user.node is not None else NO_OPINION
            case "RBAC":
                return self._explain(user, asked)
            case "AlwaysAllow":
                return ALLOWED
        return Decision(allowed=False, reason="Everything is forbidden.")

    def _answer(self, user: users.User, asked: Attributes, name: str) -> bool:
        """Of RBAC, about an object of this name: no rule depends on selectors."""
        question = _question(user, asked, name)
        answer = self._answers.get(question)
        if answer is None:
            answer = self.rules().allow(user, asked._replace(name=name))
            if len(self._answers) >= ANSWERS_MAX:
                self._answers.clear()
            self._answers[question] = answer
        return answer

    def _explain(self, user: users.User, asked: Attributes) -> Decision:
        """Of RBAC."""
        question = _question(user, asked, asked.name)
        decision = self._explanations.get(question)
        if decision is None:
            decision = self.rules().explain(user, asked)
            if len(self._explanations) >= EXPLANATIONS_MAX:
                self._explanations.clear()
            self._explanations[question] = decision
        return decision

    def check(self, user: users.User, asked: Attributes) -> None:
        """Raises StatusError 403 with upstream's text."""
        if not self.allows(user, asked):
            raise forbidden(user, asked, self.decide(user, asked).reason)

    def rules(self) -> rbac.Rules:
        if self._rules is None:
            self._rules = rbac.compile_rules(*(self._objects[keys.prefix(kind)].values() for kind in _KINDS))
        return self._rules

    def _follow(self, batch: list[contract.Event]) -> None:
        for event in batch:
            if event.deleted:
                self._of(event.key).pop(event.key, None)
            else:
                self._put(event.key, orjson.loads(event.value))
            self._revision = event.revision
        self._forget_answers()

    def _put(self, key: str, obj: Object) -> None:
        self._of(key)[key] = obj

    def _of(self, key: str) -> dict[str, Object]:
        return self._objects.setdefault("/".join(key.split("/", 3)[:3]) + "/", {})

    def _forget_answers(self) -> None:
        self._rules = None
        self._answers.clear()
        self._explanations.clear()


def parse_modes(text: str) -> tuple[str, ...]:
    """Of `--authorization-mode`. Raises ValueError."""
    found = tuple(filter(None, (one.strip() for one in text.split(","))))
    if not found:
        raise ValueError("at least one authorization-mode must be passed")
    unknown = [one for one in found if one not in MODES]
    if unknown:
        raise ValueError(f'authorization-mode "{unknown[0]}" is not a valid mode here: {", ".join(MODES)}')
    if len(set(found)) < len(found):
        raise ValueError(f"authorization-mode {list(found)} has mode specified more than once")
    return found


def _question(user: users.User, asked: Attributes, name: str) -> tuple[object, ...]:
    """Whatever the answer depends on."""
    verb, group, version, resource, namespace, _, path, _ = asked
    return user.name, user.groups, verb, group, version, resource, namespace, name, path


def explain(user: users.User, asked: Attributes, reason: str = "") -> str:
    """Upstream's sentence about a refusal, safe to be shown in a page; `reason` is what the rules say about it."""
    if asked.path:
        said = f'User "{user.name}" cannot {asked.verb} path "{asked.path}"'
    else:
        place = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
        what = f'resource "{asked.resource}" in API group "{asked.group}"'
        said = f'User "{user.name}" cannot {asked.verb} {what} {place}'
    said = said.translate(_ESCAPES)
    return f"{said}: {reason}" if reason else said


def forbidden(user: users.User, asked: Attributes, reason: str = "") -> errors.StatusError:
    said = explain(user, asked, reason)
    if asked.path:
        return errors.StatusError(errors.status(403, "Forbidden", f"forbidden: {said}"))
    plural = asked.resource.partition("/")[0]
    return errors.forbidden(plural, asked.name, said, asked.group)
