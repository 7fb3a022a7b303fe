"""What the legacy token cleaner watches and sees."""

from steersman.api import kinds
from steersman.controllers.legacy_token_cleaner import decide
from steersman.controllers.legacy_token_cleaner.decide import Seen
from steersman.controllers.loop import Controller, Look, Watch
from steersman.meta import objects
from steersman.meta.objects import Object

_ACCOUNT_NAME = "kubernetes.io/service-account.name"


def controller() -> Controller:
    return Controller(
        name="legacy-service-account-token-cleaner-controller",
        watches=(
            Watch(kinds.SECRET, lambda caches, obj: (objects.key(obj),), _is_token),
            Watch(kinds.SERVICE_ACCOUNT),
            Watch(kinds.CONFIG_MAP),
            Watch(kinds.POD),
        ),
        observe=observe,
        decide=decide.decide,
        workers=1,
    )


def observe(look: Look, key: str) -> Seen | None:
    secret = look.caches.of(kinds.SECRET).get(key)
    if secret is None or not _is_listed(look, secret):
        return None
    tracking = look.caches.of(kinds.CONFIG_MAP).get(f"kube-system/{decide.TRACKING}")
    return Seen(secret, decide.tracked_since(tracking), _is_mounted(look, secret), look.now)


def _is_listed(look: Look, secret: Object) -> bool:
    """Whether it was made automatically: its account lists it."""
    name = objects.annotations(secret).get(_ACCOUNT_NAME, "")
    account = look.caches.of(kinds.SERVICE_ACCOUNT).get(f"{objects.namespace(secret)}/{name}")
    return any(one.get("name") == objects.name(secret) for one in (account or {}).get("secrets") or ())


def _is_mounted(look: Look, secret: Object) -> bool:
    name = objects.name(secret)
    return any(
        (volume.get("secret") or {}).get("secretName") == name
        for pod in look.caches.of(kinds.POD).list(objects.namespace(secret))
        for volume in pod["spec"].get("volumes") or ()
    )


def _is_token(old: Object | None, new: Object | None) -> bool:
    return new is not None and new.get("type") == decide.TYPE
