"""The API server: one request in, one response out, through stages that each have their own file.

parse path (`paths`) → authenticate → impersonate → authorise → find the kind → who answers for it (`dispatch`): decode, admit,
validate, store (`writing`) or read (`reading`, `watching`) → encode. Source of order and refusals: upstream's handler chain.

Keeps true: every wrong request gets the Status Kubernetes gives; what nobody expected is logged and answered as 500.
"""

import asyncio
import dataclasses
import functools
from collections.abc import Coroutine, Iterable, Mapping
from typing import Any

from steersman.aio import clock as clocks
from steersman.aio import tasks
from steersman.api import kinds as builtin
from steersman.api import openapi, releases, review_kinds, schema
from steersman.api.kind import Kind, Kinds
from steersman.apiserver import (
    authentication,
    authorization,
    bootstrap,
    component_status,
    compression,
    deadlines,
    decoded,
    dispatch,
    documents,
    event_expiry,
    gauges,
    health,
    impersonation,
    joining,
    metrics,
    negotiation,
    page_expiry,
    paper_nodes,
    paths,
    plain,
    questions,
    reading,
    refusals,
    reviews,
    shapes,
    token_use,
    tokens,
    users,
    warnings,
    watching,
    webhook_client,
    writing,
)
from steersman.apiserver.admission import chain, configured, service_addresses, service_numbers, settings, switches
from steersman.apiserver.aggregation import aggregator, extension, identity, registration
from steersman.apiserver.attributes import Attributes
from steersman.apiserver.audit import auditor
from steersman.apiserver.audit import ids as audit_ids
from steersman.apiserver.audit import trail as audit_trail
from steersman.apiserver.call import Call, Moment
from steersman.apiserver.extensions import definitions, equivalents, handlers, versions
from steersman.apiserver.flowcontrol import flows, levels
from steersman.apiserver.flowcontrol import objects as flow_objects
from steersman.apiserver.jwt_issuers import authenticator as jwt_issuers
from steersman.apiserver.jwt_issuers import configuration as jwt_configuration
from steersman.apiserver.node_authorizer import authorizer as node_authorizer
from steersman.apiserver.past import answers as past
from steersman.apiserver.resource_metrics import answers as resource_metrics
from steersman.apiserver.subresources import kubelet, proxy, table
from steersman.meta import errors
from steersman.meta.objects import Object
from steersman.serving import messages, zpages
from steersman.store import contract


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """What a cluster may choose.

    `service_cidrs`: one per address family, the default one first.
    `dns_address` is where nodes answer DNS, which Service `kube-system/kube-dns` tells.
    `advertise` is (address, port) of the endpoint of `default/kubernetes`; none without it.
    `cluster_info` is what machines that want to join are told.
    `fake_nodes` are those on paper, whose process acts as each of them.
    `flags` are what `/flagz` shows: what the server was started with.
    `authentication`: whose tokens are good beside our own, and what nobody may ask.
    `authorization_modes`: who is asked whether somebody may do something; where all may do all, nobody may be unknown.
    `admission`: which plugins work; `admission_settings`: what they are told.
    """

    service_cidrs: tuple[str, ...] = ("10.96.0.0/16",)
    node_ports: tuple[int, int] = (30000, 32767)
    dns_address: str = ""
    advertise: tuple[str, int] | None = None
    unreachable_seconds: int = 300
    anonymous: bool = True
    issuer: str = tokens.ISSUER
    audiences: tuple[str, ...] = ()
    static_tokens: Mapping[str, users.User] = dataclasses.field(default_factory=dict)
    token_key_pem: bytes = b""
    release: str = schema.RELEASE
    front_proxy: identity.FrontProxy | None = None
    cluster_info: joining.ClusterInfo | None = None
    fake_nodes: tuple[str, ...] = ()
    flags: Mapping[str, str] = dataclasses.field(default_factory=dict)
    authentication: jwt_configuration.Configuration = jwt_configuration.Configuration()
    authorization_modes: tuple[str, ...] = authorization.DEFAULT_MODES
    admission: switches.Switches = switches.DEFAULT
    admission_settings: settings.Settings = settings.DEFAULT


class ApiServer:
    """`await start()`, then `handle` requests; `await close()` ends its background tasks (the store is the caller's).

    `kinds` are those of the release in the options, if nothing else is said.
    `kubelets` reaches the nodes for logs, exec and the like, `pod_connector` pods for their proxy; without them these answer 503.
    `audit` writes requests down; `close` closes it.
    """

    def __init__(
        self,
        store: contract.Store,
        kinds: Kinds | None = None,
        clock: clocks.Clock | None = None,
        options: Options = Options(),
        *,
        kubelets: kubelet.KubeletConnector | None = None,
        pod_connector: proxy.PodConnector | None = None,
        audit: auditor.Auditor | None = None,
    ) -> None:
        self.store = store
        self._audit = audit
        self.options = options
        self._clock = clock or clocks.SystemClock()
        self._types = schema.of_release(options.release)
        self._tasks = tasks.Tasks("apiserver")
        self._ready = False
        self._audit_ids = audit_ids.AuditIds(self._clock)
        objects = self.objects = decoded.DecodedObjects(store)
        token_key = tokens.TokenKey(options.token_key_pem, options.issuer) if options.token_key_pem else None
        audiences = options.audiences or (options.issuer,)
        known = options.authentication
        anonymous = options.anonymous if known.anonymous is None else known.anonymous
        self._issuers = jwt_issuers.JwtAuthenticator(known.issuers, self._clock) if known.issuers else None
        self.authenticator = authentication.Authenticator(
            self._clock,
            objects,
            token_key=token_key,
            static_tokens=options.static_tokens,
            audiences=audiences,
            anonymous=anonymous and authorization.ALWAYS_ALLOW not in options.authorization_modes,
            issuers=self._issuers,
            anonymous_paths=known.anonymous_paths,
            token_use=token_use.TokenUse(store, self._clock, self._tasks),
        )
        self._nodes = node_authorizer.NodeAuthorizer(store, objects)
        self.authorizer = authorization.Authorizer(store, self._nodes, options.authorization_modes)
        self._addresses = service_addresses.ServiceAddresses(options.service_cidrs, options.node_ports)
        self._numbers = service_numbers.ServiceNumbers(store, self._addresses)
        self._webhook_client = webhook_client.WebhookClient(objects, self._clock)
        self._configured = configured.of(
            store,
            objects,
            self._clock,
            self._types,
            self.authorizer,
            self._webhook_client,
            self._seen_as(),
            self._kind_of,
        )
        self.plugins = chain.plugins(
            objects,
            self._clock,
            store,
            self._addresses,
            self.authorizer,
            unreachable_seconds=options.unreachable_seconds,
            mutating=self._configured.mutating,
            validating=self._configured.validating,
            chosen=options.admission,
            told=options.admission_settings,
        )
        admission = chain.Chain(self.plugins, self._clock)
        shaper = shapes.Shaper(self._clock)
        self._pages = page_expiry.PageExpiry(store, self._clock)
        self.reader = reading.Reader(store, objects, shaper, self._pages)
        self.writer = writing.Writer(store, self._clock, self._types, admission, shaper, self._check_may_create)
        self.watcher = watching.Watcher(store, self._clock, objects, shaper)
        parts = handlers.Parts(store, self._clock, self._types, admission, shaper, self._check_may_create, self._pages)
        self._versions = versions.Versions(parts)
        self._definitions = definitions.Definitions(parts, self._webhook_client, self._tasks)
        reached = extension.Parts(store, self._clock, objects, self._webhook_client, options.front_proxy)
        self._aggregator = aggregator.Aggregator(reached, self._tasks, lambda: self._definitions.kinds)
        self._definitions.changed = self._aggregator.custom_changed
        self._flows = flows.Flows(store, self._clock, self._tasks)
        asked = Kinds(releases.served(review_kinds.KINDS, options.release))
        self._tables = [kinds or releases.kinds_of(options.release), asked, self._definitions.kinds]
        self._metrics = metrics.Metrics()
        self._dispatcher = dispatch.Dispatcher(
            dispatch.Parts(
                stored=handlers.Handlers(self.reader, self.writer, self.watcher),
                versions=self._versions,
                definitions=self._definitions,
                subresources=table.Subresources(
                    store,
                    self._clock,
                    objects,
                    self.writer,
                    admission,
                    token_key=token_key,
                    audiences=audiences,
                    kubelets=kubelets,
                    pod_connector=pod_connector,
                ),
                components=component_status.ComponentStatuses(store, self.watcher.users, shaper),
                reviews=reviews.Reviews(self.authenticator, self.authorizer, audiences),
                admission=admission,
                refreshes={
                    builtin.CUSTOM_RESOURCE_DEFINITION.resource: self._definitions.refresh,
                    **{one.kind.resource: one.refresh for one in self._configured.followed},
                    builtin.API_SERVICE.resource: self._aggregator.api_services.refresh,
                    builtin.FLOW_SCHEMA.resource: self._flows.schemas.refresh,
                    builtin.PRIORITY_LEVEL_CONFIGURATION.resource: self._flows.configurations.refresh,
                },
                deprecated=self._metrics.deprecated,
                release=options.release,
            )
        )
        metrics_of_nodes = resource_metrics.ResourceMetrics(objects, kubelets, self._clock, shaper)
        self.add_group(resource_metrics.KINDS, metrics_of_nodes.answer)
        advertised = options.advertise or ("127.0.0.1", 6443)
        served_documents = documents.Documents(
            lambda: documents.kinds_of(self._tables),
            self._aggregator,
            openapi.Publisher(self._types),
            f"{advertised[0]}:{advertised[1]}",
        )
        self._health = health.Health()
        self._health.add("etcd", lambda: "" if store.revision else "the store is empty")
        self._health.add("informer-sync", lambda: "" if self._ready else "not started", only_ready=True)
        self._health.add_steps()
        self._plain = plain.Plain(
            self._health,
            self._metrics,
            served_documents,
            lambda: documents.kinds_of(self._tables),
            gauges.Gauges(store, lambda: self.watcher.open + self._versions.watches, self._clock.now().timestamp()),
            token_key,
            zpages.Component("kube-apiserver", options.release, self._clock.now(), options.flags),
            lambda: [*self._flows.gauges(), *self._configured.gauges(), *self._aggregator.gauges()],
            lambda: [*admission.durations.samples(), *self._configured.samples()],
            self._clock.now,
        )
        self._past = past.Past(store, self._clock, self.authorizer, self._ask, self._kind, self._kind_of)
        self._expiry = event_expiry.EventExpiry(store, self._clock)

    def _seen_as(self) -> equivalents.Equivalents:
        """Which kinds there are, is asked when it is needed."""
        return equivalents.Equivalents(
            lambda: documents.kinds_of(self._tables), lambda *asked: self._definitions.convert(*asked)
        )

    def _kind_of(self, api_version: str, kind: str) -> Kind | None:
        return next((found for table in self._tables if (found := table.of_object(api_version, kind))), None)

    def add_group(self, rows: Iterable[Kind], answer: dispatch.Answer) -> None:
        """Serve kinds of a group and version with code of one's own, before `start`: `answer` gets the requests that may be made.

        Discovery, OpenAPI and the APIService follow from the rows. Whoever registers an extension server for the same
        group and version gets the requests instead.
        """
        listed = Kinds(rows)
        self._tables.append(listed)
        for row in listed:
            self._dispatcher.groups[row.group, row.version] = answer

    async def start(self) -> None:
        """Create what every cluster has, read what the request path keeps in memory."""
        await bootstrap.ensure(
            self.store, self._clock, self.options.service_cidrs, self.options.advertise, self._more_objects()
        )
        self._health.finished("bootstrap")
        await self._numbers.start()
        self._health.finished("addresses")
        await self.authorizer.start()
        await self._nodes.start()
        self._health.finished("rules")
        await self._definitions.start()
        self._health.finished("definitions")
        for one in self._configured.followed:
            await one.start()
            self._tasks.keep(one.kind.plural, one.run, self._clock)
        self._health.finished("admission")
        await self._aggregator.start()
        self._health.finished("aggregation")
        await self._flows.start()
        self._health.finished("flows")
        self._tasks.keep("numbers of services", self._numbers.run, self._clock)
        self._tasks.keep("rules", self.authorizer.run, self._clock)
        for kind in node_authorizer.KINDS:
            self._tasks.keep(f"nodes' {kind.plural}", functools.partial(self._nodes.follow, kind), self._clock)
        self._tasks.keep("custom resource definitions", self._definitions.run, self._clock)
        self._tasks.keep("page expiry", self._pages.run, self._clock)
        if not self.store.expires:
            self._tasks.keep("event expiry", self._expiry.run, self._clock)
        if self._audit is not None:
            self._tasks.start("audit", self._audit.run())
        self._ready = True

    def _more_objects(self) -> list[tuple[Kind, Object]]:
        """What other parts want to be there."""
        own = [row for row in documents.kinds_of(self._tables) if row.custom is None]
        now = self._clock.now()
        found = registration.of_groups(own, now) + flow_objects.of_every_cluster(now)
        if self.options.dns_address:
            found += bootstrap.name_server(self.options.dns_address)
        if self.options.front_proxy is not None:
            found.append((builtin.CONFIG_MAP, identity.config_map(self.options.front_proxy)))
        if self.options.fake_nodes:
            found += paper_nodes.objects(self.options.fake_nodes)
        if self.options.cluster_info is not None:
            found += joining.objects(self.options.cluster_info)
        return found

    async def close(self) -> None:
        self._ready = False
        await self._tasks.close()
        await self._definitions.close()
        await self._webhook_client.close()
        if self._issuers is not None:
            await self._issuers.close()
        if self._audit is not None:
            await self._audit.close()

    async def handle(self, request: messages.Request) -> messages.Response:
        """A `serving.messages.Handler`: answers everything, raises nothing but cancellation."""
        began = self._clock.monotonic()
        target = paths.parse(request.method, request.path)
        kind = "readOnly" if request.method in ("GET", "HEAD") else "mutating"
        self._metrics.inflight[kind] += 1
        flow = trail = user = None
        audit_id = self._audit_ids.of(request)
        try:
            parameters = request.parameters() if request.query else {}
            if parameters and target.verb in ("list", "watch"):
                target = _as_watch(target, parameters)
            user = await self.authenticator.user_of(request)
            if self._audit is not None:
                trail = self._audit.begin(request, target, user, audit_id)
            if "impersonate-user" in request.headers or any(
                name.startswith("impersonate-") for name in request.headers
            ):
                user = impersonation.user_of(request.headers, user, self.authorizer)
                if trail is not None:
                    trail.impersonated = user
            flow = self._flows.of(user, target)
            if flow is None:
                response = await self._serve(request, target, user, parameters)
            elif flow.take():
                try:
                    response = await self._serve(request, target, user, parameters)
                finally:
                    flow.give()
            else:
                response = await self._queued(flow, request, target, user, parameters)
        except errors.StatusError as refusal:
            response = refusals.response(request, refusal)
            if user is None and self._audit is not None:
                self._audit.unauthenticated(request, target, audit_id, refusal.code)
        except contract.StoreError as failure:
            response = refusals.of_store(request, failure)
        except asyncio.CancelledError:
            if trail is not None and self._audit is not None:
                self._audit.cut_off(trail)
            raise
        except Exception as failure:
            response = refusals.of_failure(request, failure)
            if trail is not None and self._audit is not None:
                self._audit.failed(trail, failure)
                trail = None
        finally:
            self._metrics.inflight[kind] -= 1
        response.headers["audit-id"] = audit_id
        if trail is not None and self._audit is not None:
            self._audit.end(trail, request, response)
        if flow is not None:
            response.headers |= flow.headers
        if "accept-encoding" in request.headers and compression.is_wanted(request):
            compression.compress(response)
        self._count(request, target, response.status, self._clock.monotonic() - began)
        return response

    def _authorize(self, user: users.User, asked: Attributes) -> None:
        """Raises StatusError 403. What is written down of the request also says why it was allowed."""
        trail = audit_trail.current()
        if trail is None:
            self.authorizer.check(user, asked)
            return
        decision = self.authorizer.decide(user, asked)
        trail.annotate("authorization.k8s.io/decision", "allow" if decision.allowed else "forbid")
        trail.annotate("authorization.k8s.io/reason", decision.reason)
        if not decision.allowed:
            raise authorization.forbidden(user, asked, decision.reason)

    async def _queued(
        self,
        flow: flows.Flow,
        request: messages.Request,
        target: paths.Target,
        user: users.User,
        parameters: dict[str, list[str]],
    ) -> messages.Response:
        """Served when there is a seat of its priority level."""
        try:
            ticket = await self._flows.wait(flow, user, target)
        except levels.Rejected:
            return flows.refusal()
        try:
            return await self._serve(request, target, user, parameters)
        finally:
            flow.give(ticket)

    def _serve(
        self, request: messages.Request, target: paths.Target, user: users.User, parameters: dict[str, list[str]]
    ) -> Coroutine[Any, Any, messages.Response]:
        seconds = deadlines.of(request, target, parameters) if "timeout" in parameters else None
        answering = self._resource if target.is_resource else self._other
        if seconds is not None:
            return deadlines.within(self._clock, seconds, answering(request, target, user, parameters))
        return answering(request, target, user, parameters)

    async def _other(
        self, request: messages.Request, target: paths.Target, user: users.User, parameters: dict[str, list[str]]
    ) -> messages.Response:
        """A path outside of resources."""
        if request.path.startswith(past.PREFIX):
            return await self._past.answer(request, user)
        self._authorize(user, questions.of_path(request.method, request.path))
        remote = self._remote(request.path)
        if remote is not None:
            return await remote.answer(request, user)
        response = await self._plain.answer(request)
        if response is None:
            raise errors.no_route()
        return response

    async def _ask(self, request: messages.Request, user: users.User, then: Moment | None) -> messages.Response:
        """What was stored at that moment (what is not, discovery above all, is as it is now); None: as a request of the user's."""
        parameters = request.parameters() if request.query else {}
        target = paths.parse(request.method, request.path)
        if target.verb == "list":
            target = _as_watch(target, parameters)
        if not target.is_resource and not request.path.startswith(past.PREFIX):
            return await self._other(request, target, user, parameters)
        if then is not None and (target.verb not in ("get", "list") or target.subresource not in ("", "status")):
            raise errors.method_not_allowed()
        return await self._resource(request, target, user, parameters, then)

    async def _resource(
        self,
        request: messages.Request,
        target: paths.Target,
        user: users.User,
        parameters: dict[str, list[str]],
        then: Moment | None = None,
    ) -> messages.Response:
        self._authorize(user, questions.of(target, parameters))
        remote = self._aggregator.remote(target.group, target.version)
        if remote is not None and then is None:
            return await remote.answer(request, user)
        kind = self._kind(target, user)
        if target.namespace and not kind.namespaced and kind.plural != "namespaces":
            raise errors.no_route()
        form = negotiation.form_of(request)
        call = Call(request, target, user, kind, parameters, form, then=then)
        try:
            response = await self._dispatcher.answer(call)
        except errors.StatusError as refusal:
            if not call.warnings:
                raise
            response = refusals.response(request, refusal)
        if call.warnings:
            response.headers["warning"] = warnings.header(call.warnings)
        return response

    def _remote(self, path: str) -> extension.Extension | None:
        """Who serves `/apis/GROUP/VERSION` and other paths under it that are no resource."""
        parts = path.split("/")
        return self._aggregator.remote(parts[2], parts[3]) if len(parts) > 3 and parts[1] == "apis" else None

    def _kind(self, target: paths.Target, user: users.User) -> Kind:
        for rows in (*self._tables, builtin.BUILTIN) if user.is_part else self._tables:
            kind = rows.of_resource(target.group, target.version, target.resource)
            if kind is not None:
                return kind
        raise errors.no_route()

    def _check_may_create(self, call: Call) -> None:
        """Whoever applies what is not there yet needs the right to create it."""
        target = call.target
        place = target.group, target.version, target.full_resource, target.namespace, target.name
        self.authorizer.check(call.user, Attributes("create", *place))

    def _count(self, request: messages.Request, target: paths.Target, code: int, seconds: float) -> None:
        if not target.is_resource:
            self._metrics.count((request.method, "", "", "", "", "", ""), code, seconds)
            return
        is_one = target.name or target.verb == "create"
        scope = "resource" if is_one else "namespace" if target.namespace else "cluster"
        verb, dry = metrics.verb_of(request, target), "All" if "dryRun=All" in request.query else ""
        labels = (verb, target.group, target.version, target.resource, target.subresource, scope, dry)
        if code in (404, 405) and not any(rows.of_resource(*labels[1:4]) for rows in self._tables):
            labels = (request.method, "", "", "", "", "", "")  # what a stranger types must not become a label
        self._metrics.count(labels, code, seconds)


def _as_watch(target: paths.Target, parameters: dict[str, list[str]]) -> paths.Target:
    """`?watch=1` makes a list a watch."""
    watch = parameters.get("watch")
    verb = "watch" if target.verb == "watch" or (watch and watch[0].lower() not in ("0", "false")) else "list"
    return target._replace(verb=verb) if verb != target.verb else target
