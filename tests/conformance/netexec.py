"""What runs in pods that answer: HTTP over TCP with the method and the path, UDP with the host's name, links to rewrite.

Environment: HTTP=80=foo,160=bar (ports and what they say), TLS the same with /certs, UDP=8081,…
"""

import http.server
import json
import os
import socket
import ssl
import threading


class Server(http.server.ThreadingHTTPServer):
    said = ""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    server: Server

    def answer(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        said, path = self.server.said, self.path.partition("?")[0]
        if path == "/hostname":
            body, kind = socket.gethostname().encode(), "text/plain"
        elif path == "/clientip":
            body, kind = self.client_address[0].encode(), "text/plain"
        elif said == "json":
            body, kind = json.dumps({"Method": self.command, "Body": "foo", "Path": path}).encode(), "application/json"
        else:
            body, kind = said.encode(), "text/html" if said.startswith("<") else "text/plain"
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *arguments):
        """Nobody reads it."""


for method in ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
    setattr(Handler, f"do_{method}", Handler.answer)


def ports(name):
    return [one.split("=", 1) for one in os.environ.get(name, "").split(",") if one]


def listen(port, said, context=None):
    server = Server(("0.0.0.0", int(port)), Handler)
    server.said = said
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever).start()


def tell_name(port):
    server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    server.bind(("0.0.0.0", int(port)))
    while True:
        _, peer = server.recvfrom(2048)
        server.sendto(socket.gethostname().encode(), peer)


def main():
    for port, said in ports("HTTP"):
        listen(port, said)
    if tls := ports("TLS"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain("/certs/tls.crt", "/certs/tls.key")
        for port, said in tls:
            listen(port, said, context)
    for (port,) in ports("UDP"):
        threading.Thread(target=tell_name, args=(port,)).start()


if __name__ == "__main__":
    main()
