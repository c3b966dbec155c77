"""The stock: how many there are of each thing.

GET /healthz, /version, /items.  SIGHUP makes it read its files again.
`--wait SECONDS` waits until the server answers, `--version` asks it for its version.
"""
import http.client
import http.server
import json
import os
import pathlib
import signal
import socketserver
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ADDRESS = os.environ.get("ALLOCATION_IP", "127.0.0.1")


def read(name):
    return json.loads((HERE / name).read_text())


PORT = read("manifest.json")["resources"]["ports"]["stock_port"]
state = {}


def load(*_):
    state.update(version=read("manifest.json")["version"], items=read("items.json"))


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answers = {"/healthz": "ok", "/version": state["version"], "/items": json.dumps(state["items"])}
        body = answers.get(self.path, "there is no such page").encode() + b"\n"
        self.send_response(200 if self.path in answers else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    allow_reuse_address = True
    daemon_threads = True


def serve():
    load()
    signal.signal(signal.SIGHUP, load)
    server = Server((ADDRESS, PORT), Handler)
    (HERE / "data" / "server.pid").write_text(f"{os.getpid()}\n")
    server.serve_forever()


def ask(path):
    connection = http.client.HTTPConnection(ADDRESS, PORT, timeout=2)
    connection.request("GET", path)
    return connection.getresponse().read().decode().strip()


def wait(seconds):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            # Our own server, not the one that is about to go: only ours has written this file.
            if (HERE / "data" / "server.pid").exists() and ask("/healthz"):
                return 0
        except OSError:
            pass
        time.sleep(0.05)
    return 1


if sys.argv[1:2] == ["--wait"]:
    sys.exit(wait(float(sys.argv[2])))
elif sys.argv[1:2] == ["--version"]:
    try:
        print(ask("/version"))
    except OSError as error:
        sys.exit(f"no answer from {ADDRESS}:{PORT}: {error}")
else:
    serve()
