"""Which code answers which subresource (status aside, which is an ordinary read or write)."""

from collections.abc import Awaitable, Callable

from steersman.aio import clock as clocks
from steersman.apiserver import decoded, tokens, writing
from steersman.apiserver.admission import chain
from steersman.apiserver.admission.plugin import Review
from steersman.apiserver.call import Call
from steersman.apiserver.subresources import (
    approval,
    connections,
    eviction,
    finalize,
    kubelet,
    pod_resize,
    pods,
    proxy,
    scale,
    token_request,
)
from steersman.meta import errors
from steersman.serving import messages
from steersman.store import contract

Answer = Callable[[Call], Awaitable[messages.Response]]


class Subresources:
    def __init__(
        self,
        store: contract.Store,
        clock: clocks.Clock,
        objects: decoded.DecodedObjects,
        writer: writing.Writer,
        admission: chain.Chain,
        *,
        token_key: tokens.TokenKey | None,
        audiences: tuple[str, ...],
        kubelets: kubelet.KubeletConnector | None,
        pod_connector: proxy.PodConnector | None,
    ) -> None:
        self._admission = admission
        of_pods = self._pods = pods.Pods(writer, admission, clock)
        nodes = kubelet.Kubelets(objects, kubelets)
        through = proxy.Proxy(objects, pod_connector)
        self._any: dict[str, Answer] = {
            "scale": scale.Scaling(store, writer).answer,
            "approval": approval.Approvals(writer).answer,
        }
        self._named: dict[tuple[str, str], Answer] = {
            ("pods", "log"): nodes.logs,
            ("pods", "exec"): nodes.run,
            ("pods", "attach"): nodes.run,
            ("pods", "portforward"): nodes.port_forward,
            ("pods", "proxy"): through.answer,
            ("pods", "binding"): of_pods.bind,
            ("pods", "eviction"): eviction.Evictions(store, objects, writer, admission, clock).answer,
            ("pods", "ephemeralcontainers"): of_pods.ephemeral_containers,
            ("pods", "resize"): pod_resize.Resizing(writer).answer,
            ("services", "proxy"): through.answer,
            ("nodes", "proxy"): nodes.node_proxy,
            ("namespaces", "finalize"): lambda call: finalize.answer(call, writer),
            ("serviceaccounts", "token"): token_request.TokenRequests(
                objects, clock, token_key, audiences, writer, admission
            ).answer,
        }

    async def answer(self, call: Call) -> messages.Response:
        kind, name = call.kind, call.target.subresource
        found = self._named.get((kind.plural, name)) if not kind.group else None
        found = found or self._any.get(name)
        if found is None:
            raise errors.no_route()
        if not kind.group and name in connections.NAMES:
            await self._admission.admit(Review(call, "CONNECT", connections.options(call)))
        return await found(call)

    async def bind(self, call: Call) -> messages.Response:
        """A Binding posted to the collection of bindings."""
        return await self._pods.bind_named(call)
