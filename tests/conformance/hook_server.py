"""What runs in the pod of `hooks`: admission and conversion webhooks, by nothing but Python's own library.

Each path is one behaviour. Reads: /certs (tls.crt, tls.key).
"""

import base64
import http.server
import json
import ssl
import time

DELAY_SECONDS = 5


def allow(request):
    return {}


def allow_late(request):
    time.sleep(DELAY_SECONDS)
    return {}


def denied(message):
    return {"allowed": False, "status": {"message": message, "code": 403}}


def deny(request):
    return denied("this webhook denies all requests")


def configmap(request):
    """Denies what says that it is bad."""
    data = (request["object"] or {}).get("data") or {}
    if data.get("webhook-e2e-test") == "webhook-disallow":
        return denied("the configmap contains unwanted key and value")
    return {}


def custom_resource(request):
    seen = request["object"] or request["oldObject"]
    if (seen.get("data") or {}).get("webhook-e2e-test") == "webhook-disallow":
        return denied("the custom resource contains unwanted data")
    return {}


def pods(request):
    name = (request["object"] or {}).get("metadata", {}).get("name", "")
    images = [one["image"] for one in request["object"]["spec"]["containers"]]
    if "webhook-disallow" in name or "webhook-disallow" in images:
        return denied("the pod contains unwanted container name; the pod response may not contain it")
    return {}


def attach(request):
    if request["name"] == "to-be-attached-pod" and request["resource"]["resource"] == "pods":
        return denied("attaching to pod 'to-be-attached-pod' is not allowed")
    return {}


def definition(request):
    if "webhook-e2e-test" in request["object"]["metadata"].get("labels", {}):
        return denied("the crd contains unwanted label")
    return {}


def patched(*operations):
    return {"patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(operations).encode()).decode()}


def staged(request):
    """One stage after another: a start makes stage 1, stage 1 makes stage 2."""
    data, operations = request["object"].get("data") or {}, []
    for stage, key in ((1, "mutation-start"), (2, "mutation-stage-1")):
        if key in data and f"mutation-stage-{stage}" not in data:
            operations.append({"op": "add", "path": f"/data/mutation-stage-{stage}", "value": "yes"})
            break
    return patched(*operations) if operations else {}


def init_container(request):
    made = {"name": "webhook-added-init-container", "image": "localhost/hello:1", "command": ["true"]}
    return patched({"op": "add", "path": "/spec/initContainers", "value": [made]})


def label(request):
    labels = request["object"]["metadata"].get("labels")
    if labels is None:
        return patched({"op": "add", "path": "/metadata/labels", "value": {"added-label": "yes"}})
    return patched({"op": "add", "path": "/metadata/labels/added-label", "value": "yes"})


HOOKS = {
    "/always-allow-delay-5s": allow_late,
    "/always-deny": deny,
    "/always-allow": allow,
    "/configmaps": configmap,
    "/custom-resource": custom_resource,
    "/pods": pods,
    "/pods/attach": attach,
    "/crd": definition,
    "/mutating-configmaps": staged,
    "/mutating-custom-resource": staged,
    "/mutating-pods": init_container,
    "/add-label": label,
}


def converted(found, version):
    """v1 has host and port in one, v2 apart; what was kept is everything else."""
    made = dict(found, apiVersion=f"{found['apiVersion'].partition('/')[0]}/{version}")
    if version == "v2" and "hostPort" in made:
        made["host"], _, made["port"] = made.pop("hostPort").partition(":")
    if version == "v1" and "host" in made:
        made["hostPort"] = f"{made.pop('host')}:{made.pop('port')}"
    return made


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        review = json.loads(self.rfile.read(int(self.headers["content-length"])))
        request, path = review.pop("request"), self.path.partition("?")[0]
        answer = {"uid": request["uid"]}
        if path == "/crdconvert":
            version = request["desiredAPIVersion"].partition("/")[2]
            answer["convertedObjects"] = [converted(one, version) for one in request["objects"]]
            answer["result"] = {"status": "Success"}
        else:
            answer.update({"allowed": True, **HOOKS[path](request)})
        data = json.dumps(dict(review, response=answer)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments):
        """Nobody reads it."""


def main():
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/certs/tls.crt", "/certs/tls.key")
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 8444), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    server.serve_forever()


if __name__ == "__main__":
    main()
