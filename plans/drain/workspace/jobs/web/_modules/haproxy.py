"""What hooks ask of the load balancers of this job, on their admin sockets."""
import csv
import os
import socket
import time

import maand

SERVER = "web/" + os.environ["ALLOCATION_IP"]


def ask(proxy, command):
    """The answer of one load balancer; an error it says in words."""
    port = int(maand.get_kv_value("maand/bucket", "proxy_admin_port"))
    with socket.create_connection((proxy, port), timeout=5) as connection:
        connection.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: connection.recv(4096), b"")).decode().strip()


def on_each(state, is_reached):
    """Sets the state of this server on each load balancer, and waits until that is reached. Doing it again is harmless."""
    for proxy in maand.get_kv_value("maand/worker", "proxy_workers").split(","):
        problem = ask(proxy, f"set server {SERVER} state {state}")
        if problem:
            raise SystemExit(f"{proxy}: {problem}")
        # The hook's timeout is the limit: `timeouts` -> `hook` of the manifest.
        while not is_reached(row(proxy)):
            time.sleep(0.05)


def row(proxy):
    """What a load balancer counts of this server."""
    lines = ask(proxy, "show stat").removeprefix("# ").splitlines()
    backend, name = SERVER.split("/")
    return next(row for row in csv.DictReader(lines) if (row["pxname"], row["svname"]) == (backend, name))
