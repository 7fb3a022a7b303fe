"""What the bootstrap signer watches and sees; its one key is the ConfigMap."""

from collections.abc import Iterable

from steersman.api import bootstrap_tokens, kinds
from steersman.controllers.bootstrap_signer import decide
from steersman.controllers.bootstrap_signer.decide import Seen
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.meta import objects
from steersman.meta.objects import Object

_KEY = f"{decide.NAMESPACE}/{decide.NAME}"
_TOKENS = "bootstrap-tokens"


def controller() -> Controller:
    return Controller(
        name="bootstrap-signer",
        watches=(
            Watch(kinds.CONFIG_MAP, lambda caches, obj: (_KEY,) if objects.key(obj) == _KEY else ()),
            Watch(kinds.SECRET, lambda caches, obj: _keys_of_secret(obj)),
        ),
        observe=observe,
        decide=decide.decide,
        indexes=(Index(kinds.SECRET, _TOKENS, _keys_of_secret),),
        workers=1,
    )


def observe(look: Look, key: str) -> Seen | None:
    config_map = look.caches.of(kinds.CONFIG_MAP).get(key)
    return Seen(config_map, look.caches.of(kinds.SECRET).by_index(_TOKENS, key), look.now) if config_map else None


def _keys_of_secret(secret: Object) -> Iterable[str]:
    return (_KEY,) if bootstrap_tokens.is_token(secret) else ()
