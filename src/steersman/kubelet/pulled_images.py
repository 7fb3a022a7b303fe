"""Which pods may use an image that is on the node: those whose credentials could pull it (KEP-2535).

An image that was pulled with a Secret is there only for pods that name this Secret, or one with the same login; one that was
pulled without is there for all, and so is, by the default policy, one that this kubelet did not pull. `must_pull` and `with_use`
are pure; `PulledImages` keeps upstream's record of each pull in a file (kubelet.config.k8s.io ImagePulledRecord), and the
intent of each before it begins: what comes from a pull that nobody saw the end of counts as pulled, with no credentials known.
"""

import contextlib
import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from steersman.containers.images import references
from steersman.kubelet.pull_secrets import Credential
from steersman.meta.objects import Object

POLICIES = ("NeverVerify", "NeverVerifyPreloadedImages", "NeverVerifyAllowlistedImages", "AlwaysVerify")
API_VERSION = "kubelet.config.k8s.io/v1beta1"


def must_verify(policy: str, allowlist: Iterable[str], image: str, pulled_here: bool) -> bool:
    """Whether the policy wants a pod's credentials for an image to be compared with those it was pulled with. An entry of the
    allowlist names a repository, or all below it (`registry.example/team/*`)."""
    if policy == "NeverVerifyPreloadedImages":
        return pulled_here
    if policy == "NeverVerifyAllowlistedImages":
        name = references.parse(image).name
        return pulled_here or not any(
            name == one or (one.endswith("/*") and name.startswith(one.removesuffix("*"))) for one in allowlist
        )
    return policy == "AlwaysVerify"


def must_pull(record: Object | None, image: str, own: Sequence[Credential]) -> bool:
    """Whether only the registry can say that a pod with these credentials may use the image."""
    known = ((record or {}).get("credentialMapping") or {}).get(references.parse(image).name)
    if known is None:
        return True
    if known.get("nodePodsAccessible"):
        return False
    accounts, secrets = known.get("kubernetesServiceAccounts") or [], known.get("kubernetesSecrets") or []
    if any(one.is_of_account and _same(one, account) for one in own for account in accounts):
        return False
    mine = [one for one in own if one.uid and not one.is_of_account]
    return not any(_same(one, secret) or one.hash == secret["credentialHash"] for one in mine for secret in secrets)


def with_use(record: Object | None, image_id: str, image: str, used: Credential | None, now: str) -> Object:
    """The record after a pull of `image` with these credentials (None: without any; the node's count as none)."""
    mapping = dict((record or {}).get("credentialMapping") or {})
    name = references.parse(image).name
    known = dict(mapping.get(name) or {})
    if used is None or not used.uid:
        known = {"nodePodsAccessible": True}
    elif not known.get("nodePodsAccessible"):
        field = "kubernetesServiceAccounts" if used.is_of_account else "kubernetesSecrets"
        others = [one for one in known.get(field) or [] if not _same(used, one)]
        own = {"uid": used.uid, "namespace": used.namespace, "name": used.name}
        known[field] = [*others, own if used.is_of_account else {**own, "credentialHash": used.hash}]
    return {
        "kind": "ImagePulledRecord",
        "apiVersion": API_VERSION,
        "lastUpdatedTime": now,
        "imageRef": image_id,
        "credentialMapping": {**mapping, name: known},
    }


def _same(one: Credential, secret: Object) -> bool:
    return (one.uid, one.namespace, one.name) == (secret["uid"], secret["namespace"], secret["name"])


class PulledImages:
    """`folder` None: nothing is kept beyond this process (a node on paper)."""

    def __init__(self, folder: Path | None, policy: str, allowlist: Sequence[str] = ()) -> None:
        self._folder = folder
        self._policy = policy
        self._allowlist = allowlist
        self._records = dict(self._read("pulled", "imageRef"))
        self._intents = {found for found, _ in self._read("pulling", "image")}

    def may_use(self, image: str, image_id: str, own: Sequence[Credential]) -> bool:
        record = self._records.get(image_id)
        pulled_here = record is not None or image in self._intents
        if not must_verify(self._policy, self._allowlist, image, pulled_here):
            return True
        return not must_pull(record, image, own)

    def begin(self, image: str) -> None:
        """It is about to be pulled. Raises OSError."""
        if image not in self._intents:
            self._intents.add(image)
            self._write("pulling", image, {"kind": "ImagePullIntent", "apiVersion": API_VERSION, "image": image})

    def failed(self, image: str) -> None:
        self._intents.discard(image)
        self._remove("pulling", image)

    def pulled(self, image: str, image_id: str, used: Credential | None, now: str) -> None:
        """Raises OSError."""
        made = self._records[image_id] = with_use(self._records.get(image_id), image_id, image, used, now)
        self._write("pulled", image_id, made)
        self.failed(image)

    def keep_only(self, image_ids: Iterable[str]) -> None:
        """Of the images that are still there."""
        for gone in self._records.keys() - set(image_ids):
            del self._records[gone]
            self._remove("pulled", gone)

    def _read(self, kind: str, key: str) -> list[tuple[str, Object]]:
        found = []
        paths = (self._folder / kind).glob("sha256-*") if self._folder is not None else ()
        for path in paths:
            try:
                record = json.loads(path.read_text())
                found.append((str(record[key]), record))
            except (ValueError, KeyError, TypeError):
                path.unlink()  # cut off while it was written: the pull that it was about is looked at again
        return found

    def _path(self, kind: str, name: str) -> Path | None:
        return self._folder and self._folder / kind / f"sha256-{hashlib.sha256(name.encode()).hexdigest()}"

    def _write(self, kind: str, name: str, record: Object) -> None:
        if (path := self._path(kind, name)) is not None:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            new = path.with_name(f".{path.name}")
            new.write_text(json.dumps(record))
            new.replace(path)

    def _remove(self, kind: str, name: str) -> None:
        if (path := self._path(kind, name)) is not None:
            with contextlib.suppress(FileNotFoundError):
                path.unlink()
