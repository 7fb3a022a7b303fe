"""PodSecurity: the standard that a namespace's labels set is enforced on pods, written down, or warned of.

Reads: Namespaces, their pods when what is enforced becomes stricter. Source: upstream's pod-security-admission/admission.
"""

import collections
from collections.abc import Iterator, Sequence
from typing import Any

from steersman.api import kinds
from steersman.api.kind import Kind
from steersman.api.pod_security import configuration, evaluation, levels
from steersman.api.pod_security.levels import Policy, Standard
from steersman.api.pod_security.pods import Pod, Violation
from steersman.apiserver import decoded
from steersman.apiserver.admission.plugin import Operation, Plugin, Review
from steersman.apiserver.audit import trail
from steersman.meta import errors, objects
from steersman.meta.errors import FieldError
from steersman.meta.objects import Object

PODS_MAX = 3000  # looked at when a namespace's standard changes

# Where the template of pods is.
_TEMPLATES: dict[Kind, tuple[str, ...]] = {
    kinds.POD_TEMPLATE: ("template",),
    kinds.CRON_JOB: ("spec", "jobTemplate", "spec", "template"),
    **dict.fromkeys(
        (kinds.REPLICATION_CONTROLLER, kinds.REPLICA_SET, kinds.DEPLOYMENT, kinds.STATEFUL_SET, kinds.DAEMON_SET),
        ("spec", "template"),
    ),
    kinds.JOB: ("spec", "template"),
}
_OF_PODS = ("", "ephemeralcontainers", "resize")


class PodSecurity(Plugin):
    name = "PodSecurity"

    def __init__(self, read: decoded.DecodedObjects, settings: configuration.Configuration) -> None:
        self._objects = read
        self._settings = settings

    def handles(self, kind: Kind, subresource: str, operation: Operation) -> bool:
        if operation not in ("CREATE", "UPDATE"):
            return False
        return (kind is kinds.POD and subresource in _OF_PODS) or (
            not subresource and (kind is kinds.NAMESPACE or kind in _TEMPLATES)
        )

    async def validate(self, review: Review) -> None:
        """Raises StatusError 403, of a Namespace's labels 422."""
        kind = review.call.kind
        if kind is kinds.NAMESPACE:
            await self._of_namespace(review)
        elif not self._is_exempt(review):
            await self._of_pods(review, enforce=kind is kinds.POD)

    # Namespaces

    async def _of_namespace(self, review: Review) -> None:
        policy, wrong = levels.of_labels(objects.labels(review.new), self._settings.default)
        if review.old is None:
            _check(review, wrong)
            return
        before, old_wrong = levels.of_labels(objects.labels(review.old), self._settings.default)
        if [str(one) for one in wrong] != [str(one) for one in old_wrong]:
            _check(review, wrong)
        new, old = policy.enforce, before.enforce
        if new == old or new.level == levels.PRIVILEGED or review.name in self._settings.namespaces:
            return
        if new.version != old.version or new.is_stricter_than(old):
            review.call.warnings += await self._of_existing(review.name, new)

    async def _of_existing(self, namespace: str, standard: Standard) -> list[str]:
        """What is to be said of pods that are there already."""
        pods = await self._objects.list(kinds.POD, namespace)
        by_reason: dict[str, list[str]] = collections.defaultdict(list)
        for pod in pods[:PODS_MAX]:
            if pod["spec"].get("runtimeClassName") not in self._settings.runtime_classes:
                found = evaluation.violations(standard, _pod(pod))
                if found:
                    by_reason[evaluation.reasons(found)].append(objects.name(pod))
        told = []
        if len(pods) > PODS_MAX:
            checked = f"checked against the first {PODS_MAX} of {len(pods)} existing pods"
            told.append(f"new PodSecurity enforce level only {checked}")
        if by_reason:
            told.append(
                f'existing pods in namespace "{namespace}" violate the new PodSecurity enforce level "{standard}"'
            )
        return [*told, *sorted(f"{_together(names)}: {reason}" for reason, names in by_reason.items())]

    # Pods, and what makes them

    def _is_exempt(self, review: Review) -> bool:
        exempt = "namespace" if review.namespace in self._settings.namespaces else ""
        if not exempt and review.call.user.name in self._settings.users:
            exempt = "user"
        if exempt:
            _write_down("exempt", exempt)
        return bool(exempt)

    async def _of_pods(self, review: Review, *, enforce: bool) -> None:
        namespace = await self._objects.get(kinds.NAMESPACE, "", review.namespace)
        policy, wrong = levels.of_labels(objects.labels(namespace or {}), self._settings.default)
        enforced = policy.enforce if enforce else Standard()
        if enforced.level == policy.audit.level == policy.warn.level == levels.PRIVILEGED and not wrong:
            if enforce:
                _write_down("enforce-policy", str(enforced))
            return
        pod = _pod(review.new if enforce else _at(review.new, _TEMPLATES[review.call.kind]))
        if not pod.spec or (enforce and review.old is not None and not _is_significant(pod, _pod(review.old))):
            return
        if pod.spec.get("runtimeClassName") in self._settings.runtime_classes:
            _write_down("exempt", "runtimeClass")
            return
        if wrong:
            _write_down("error", f"Failed to parse policy: {_together_said(wrong)}")
        self._judge(review, policy, enforced, pod, enforce=enforce)

    def _judge(self, review: Review, policy: Policy, enforced: Standard, pod: Pod, *, enforce: bool) -> None:
        seen: dict[Standard, list[Violation]] = {}

        def told(standard: Standard) -> str:
            """ "" where nothing is wrong."""
            if standard not in seen:
                seen[standard] = evaluation.violations(standard, pod)
            found = seen[standard]
            return f'violate PodSecurity "{standard}": {evaluation.details(found)}' if found else ""

        if enforce:
            _write_down("enforce-policy", str(enforced))
        if said := told(policy.audit):
            _write_down("audit-violations", f"would {said}")
        if said := told(enforced):
            why = said.replace("violate", "violates", 1)
            raise errors.forbidden("pods", review.name, why)
        if said := told(policy.warn):
            review.call.warnings.append(f"would {said}")


def _check(review: Review, wrong: list[FieldError]) -> None:
    if wrong:
        raise errors.invalid("Namespace", review.name, wrong)


def _write_down(key: str, value: str) -> None:
    trail.annotate(levels.PREFIX + key, value)


def _together(names: list[str]) -> str:
    first, others = min(names), len(names) - 1
    if not others:
        return first
    return f"{first} (and {others} other pod{'s' * (others > 1)})"


def _together_said(wrong: Sequence[FieldError]) -> str:
    return str(wrong[0]) if len(wrong) == 1 else f"[{', '.join(map(str, wrong))}]"


def _pod(obj: Object) -> Pod:
    return Pod(objects.annotations(obj), obj.get("spec") or {})


def _at(obj: Any, path: tuple[str, ...]) -> Object:
    found = obj
    for field in path:
        found = (found or {}).get(field)
    return {"metadata": {}, **(found or {})}


def _is_significant(new: Pod, old: Pod) -> bool:
    """Whether what a standard may be about can have changed: images, containers, profiles in annotations."""
    return list(_images(new)) != list(_images(old))


def _images(pod: Pod) -> Iterator[tuple[str, str, str]]:
    yield "", "", pod.annotations.get("seccomp.security.alpha.kubernetes.io/pod", "")
    for one in pod.containers():
        key = f"container.seccomp.security.alpha.kubernetes.io/{one['name']}"
        yield one["name"], one.get("image", ""), pod.annotations.get(key, "")
