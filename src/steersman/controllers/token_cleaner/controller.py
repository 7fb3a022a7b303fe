"""What the bootstrap token cleaner watches and sees."""

from steersman.api import bootstrap_tokens, kinds
from steersman.controllers.loop import Controller, Look, Watch
from steersman.controllers.token_cleaner import decide
from steersman.controllers.token_cleaner.decide import Seen
from steersman.meta import objects
from steersman.meta.objects import Object


def controller() -> Controller:
    return Controller(
        name="token-cleaner",
        watches=(Watch(kinds.SECRET, lambda caches, obj: (objects.key(obj),), _is_token),),
        observe=observe,
        decide=decide.decide,
        workers=1,
    )


def observe(look: Look, key: str) -> Seen | None:
    secret = look.caches.of(kinds.SECRET).get(key)
    return Seen(secret, look.now) if secret is not None else None


def _is_token(old: Object | None, new: Object | None) -> bool:
    return new is not None and bootstrap_tokens.is_token(new)
