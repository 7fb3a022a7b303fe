"""Services, endpoints and endpoint slices. A Service is shown with the slices that belong to it."""

from collections.abc import Collection, Sequence

from steersman.kubectl.describe import events
from steersman.kubectl.describe.writing import NONE, UNSET, Description, flag, head, pairs_text, spec, status
from steersman.meta.objects import Object

_ADDRESSES_MAX = 3  # more are counted


def service(d: Description, obj: Object) -> None:
    wanted = spec(obj)
    head(d, obj)
    d.row(0, "Selector:", pairs_text(wanted.get("selector")))
    d.row(0, "Type:", wanted.get("type", ""))
    if wanted.get("ipFamilyPolicy") is not None:
        d.row(0, "IP Family Policy:", wanted["ipFamilyPolicy"])
    d.row(0, "IP Families:", ",".join(wanted.get("ipFamilies") or ()) or NONE)
    d.row(0, "IP:", wanted.get("clusterIP", ""))
    d.row(0, "IPs:", ",".join(wanted.get("clusterIPs") or ()) or NONE)
    if wanted.get("externalIPs"):
        d.row(0, "External IPs:", ",".join(wanted["externalIPs"]))
    for title, key in (("Desired LoadBalancer IP", "loadBalancerIP"), ("External Name", "externalName")):
        if wanted.get(key):
            d.row(0, f"{title}:", wanted[key])
    given = (status(obj).get("loadBalancer") or {}).get("ingress")
    if given:
        d.row(0, "LoadBalancer Ingress:", ", ".join(map(_ingress, given)))
    for port in wanted.get("ports") or ():
        _port(d, port)
    d.row(0, "Session Affinity:", wanted.get("sessionAffinity", ""))
    if wanted.get("externalTrafficPolicy"):
        d.row(0, "External Traffic Policy:", wanted["externalTrafficPolicy"])
    if wanted.get("internalTrafficPolicy") is not None:
        d.row(0, "Internal Traffic Policy:", wanted["internalTrafficPolicy"])
    if wanted.get("healthCheckNodePort"):
        d.row(0, "HealthCheck NodePort:", wanted["healthCheckNodePort"])
    if wanted.get("loadBalancerSourceRanges"):
        d.row(0, "LoadBalancer Source Ranges:", ",".join(wanted["loadBalancerSourceRanges"]))
    events.write(d)


def _ingress(given: Object) -> str:
    if not given.get("ip"):
        return str(given.get("hostname", ""))
    mode = given.get("ipMode")
    return f"{given['ip']} ({mode})" if mode is not None else str(given["ip"])


def _port(d: Description, port: Object) -> None:
    title, protocol = port.get("name") or UNSET, port.get("protocol", "")
    d.row(0, "Port:", title, f"{port.get('port', 0)}/{protocol}")
    d.row(0, "TargetPort:", f"{port.get('targetPort', 0)}/{protocol}")
    if port.get("nodePort"):
        d.row(0, "NodePort:", title, f"{port['nodePort']}/{protocol}")
    d.row(0, "Endpoints:", addresses(d.seen.others.get("slices") or (), {port.get("name", "")}))


def addresses(slices: Sequence[Object], ports: Collection[str]) -> str:
    """Where ready endpoints of these ports are, the first three and how many more."""
    if not slices:
        return NONE
    shown: list[str] = []
    count, more = 0, False
    for one in slices:
        found = one.get("ports") or ()
        for port in [port for port in found if port.get("name", "") in ports] if found else [None]:
            for endpoint in one.get("endpoints") or ():
                more = more or len(shown) == _ADDRESSES_MAX
                if (endpoint.get("conditions") or {}).get("ready") is False:
                    continue
                if not more:
                    shown.append(_address(endpoint, port))
                count += 1
    text = ",".join(shown)
    return f"{text} + {count - _ADDRESSES_MAX} more..." if more else text


def _address(endpoint: Object, port: Object | None) -> str:
    address = str(endpoint["addresses"][0])
    if port is None:
        return address
    return f"[{address}]:{port.get('port', 0)}" if ":" in address else f"{address}:{port.get('port', 0)}"


def endpoints(d: Description, obj: Object) -> None:
    head(d, obj)
    d.write(0, "Subsets:\n")
    for subset in obj.get("subsets") or ():
        for title, key in (("Addresses", "addresses"), ("NotReadyAddresses", "notReadyAddresses")):
            d.row(1, f"{title}:", ",".join(one.get("ip", "") for one in subset.get(key) or ()) or NONE)
        if subset.get("ports"):
            d.write(1, "Ports:\n")
            d.row(2, "Name", "Port", "Protocol")
            d.row(2, "----", "----", "--------")
            for port in subset["ports"]:
                d.row(2, port.get("name") or UNSET, port.get("port", 0), port.get("protocol", ""))
        d.write(0, "\n")
    events.write(d)


def endpoint_slice(d: Description, obj: Object) -> None:
    head(d, obj)
    d.row(0, "AddressType:", obj.get("addressType", ""))
    if obj.get("ports"):
        d.write(0, "Ports:\n")
        d.row(1, "Name", "Port", "Protocol")
        d.row(1, "----", "----", "--------")
        for port in obj["ports"]:
            number = UNSET if port.get("port") is None else port["port"]
            d.row(1, port.get("name") or UNSET, number, port.get("protocol", ""))
    else:
        d.write(0, f"Ports: {UNSET}\n")
    if not obj.get("endpoints"):
        d.write(0, f"Endpoints: {NONE}\n")
    else:
        d.write(0, "Endpoints:\n")
        for endpoint in obj["endpoints"]:
            _endpoint(d, endpoint)
    events.write(d)


def _endpoint(d: Description, endpoint: Object) -> None:
    d.row(1, "- Addresses:", ", ".join(endpoint.get("addresses") or ()) or NONE)
    ready = (endpoint.get("conditions") or {}).get("ready")
    d.write(2, "Conditions:\n")
    d.row(3, "Ready:", UNSET if ready is None else flag(ready))
    d.row(2, "Hostname:", _or_unset(endpoint, "hostname"))
    target = endpoint.get("targetRef")
    if target is not None:
        d.row(2, "TargetRef:", f"{target.get('kind', '')}/{target.get('name', '')}")
    d.row(2, "NodeName:", _or_unset(endpoint, "nodeName"))
    d.row(2, "Zone:", _or_unset(endpoint, "zone"))


def _or_unset(holder: Object, key: str) -> str:
    return UNSET if holder.get(key) is None else str(holder[key])
