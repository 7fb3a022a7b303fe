"""What runs in the pod of `test_extensions`: a webhook and an extension server, by nothing but Python's own library.

It believes only who shows a certificate of the front proxy's authority. Reads: /certs (tls.crt, tls.key, front-proxy.crt).
"""

import http.server
import json
import ssl

GROUP = "/apis/wardle.example.com/v1alpha1"
RESOURCE = {
    "name": "flunders",
    "singularName": "flunder",
    "namespaced": True,
    "kind": "Flunder",
    "verbs": ["get", "list"],
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if not self.connection.getpeercert():
            return self.answer({"kind": "Status"}, 401)
        path = self.path.partition("?")[0]
        if path == GROUP:
            body = {"kind": "APIResourceList", "groupVersion": "wardle.example.com/v1alpha1", "resources": [RESOURCE]}
            return self.answer(body)
        if path.endswith("/flunders"):
            meta = {"name": "one", "annotations": {"by": self.headers.get("X-Remote-User", "")}}
            item = {"kind": "Flunder", "apiVersion": "wardle.example.com/v1alpha1", "metadata": meta}
            return self.answer(
                {"kind": "FlunderList", "apiVersion": item["apiVersion"], "metadata": {}, "items": [item]}
            )
        return self.answer({"kind": "Status", "code": 404}, 404)

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["content-length"])))
        request = review["request"]
        data = (request["object"] or {}).get("data") or {}
        response = {"uid": request["uid"], "allowed": "bad" not in data}
        if not response["allowed"]:
            response["status"] = {"message": "the configmap contains unwanted key and value", "code": 403}
        self.answer({"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "response": response})

    def answer(self, body: object, status: int = 200) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *arguments: object) -> None:
        """Nobody reads it."""


def main() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain("/certs/tls.crt", "/certs/tls.key")
    context.load_verify_locations("/certs/front-proxy.crt")
    context.verify_mode = ssl.CERT_OPTIONAL
    server = http.server.ThreadingHTTPServer(("0.0.0.0", 8444), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
