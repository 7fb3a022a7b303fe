"""What the publisher of the API servers' authority watches and sees; it has one key."""

from collections.abc import Iterable

from steersman.api import kinds
from steersman.controllers.loop import Controller, Index, Look, Watch
from steersman.controllers.trust_bundle_publisher import decide
from steersman.controllers.trust_bundle_publisher.decide import Seen
from steersman.meta.objects import Object

_KEY = "bundle"


def controller(root_ca: str) -> Controller:
    def observe(look: Look, key: str) -> Seen:
        return Seen(look.caches.of(kinds.CLUSTER_TRUST_BUNDLE).by_index(decide.SIGNER, key), root_ca)

    return Controller(
        name="kube-apiserver-serving-clustertrustbundle-publisher-controller",
        watches=(Watch(kinds.CLUSTER_TRUST_BUNDLE, lambda caches, obj: _keys(obj)),),
        observe=observe,
        decide=decide.decide,
        indexes=(Index(kinds.CLUSTER_TRUST_BUNDLE, decide.SIGNER, _keys),),
        workers=1,
        first_keys=(_KEY,),
    )


def _keys(bundle: Object) -> Iterable[str]:
    return (_KEY,) if (bundle.get("spec") or {}).get("signerName") == decide.SIGNER else ()
