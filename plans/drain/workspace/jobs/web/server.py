"""A web server that is slow to start: it answers two seconds after its process has begun. Each answer is some work."""
import http.server
import json
import os
import pathlib
import time

HERE = pathlib.Path(__file__).resolve().parent
MANIFEST = json.loads((HERE / "manifest.json").read_text())
ADDRESS = os.environ.get("ALLOCATION_IP", "127.0.0.1")


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path != "/healthz":
            time.sleep(0.1)
        body = MANIFEST["version"].encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


time.sleep(2)
Server((ADDRESS, MANIFEST["resources"]["ports"]["web_port"]), Handler).serve_forever()
