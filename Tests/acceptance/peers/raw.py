#!/usr/bin/env python3
"""raw.py ADDRESS PORT KIND: speaks broken SSH to whoever connects, before anybody has logged in.

It says "ready" once it listens. What it sends depends on KIND; see KINDS."""
import os
import socket
import struct
import sys
import threading
import time


def field(data):
    return struct.pack(">I", len(data)) + data


def packet(payload):
    """A packet of RFC 4253, 6, as it is before keys are agreed on."""
    padding = 16 - (len(payload) + 5) % 8
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


LISTS = [b"curve25519-sha256,ecdh-sha2-nistp256,diffie-hellman-group14-sha256", b"ssh-ed25519", b"aes256-ctr", b"aes256-ctr",
         b"hmac-sha2-256", b"hmac-sha2-256", b"none", b"none", b"", b""]
KEXINIT = packet(b"\x14" + bytes(16) + b"".join(map(field, LISTS)) + bytes(5))
HELLO = b"SSH-2.0-peer\r\n"


def reply(*fields):
    return packet(b"\x1f" + b"".join(fields))


def once(*parts):
    def send(connection):
        for part in parts:
            connection.sendall(part)
        # Until the other side has had enough.
        while connection.recv(65536):
            pass
    return send


def forever(begin, part):
    def send(connection):
        connection.sendall(begin)
        while True:
            connection.sendall(part)
    return send


def drip(connection):
    for byte in HELLO + KEXINIT:
        connection.sendall(bytes([byte]))
        time.sleep(0.3)


KINDS = {
    "packets-without-end": forever(HELLO + KEXINIT, packet(b"\x63" + bytes(30000))),
    "ignored-packets-without-end": forever(HELLO, packet(b"\x02" + field(bytes(30000)))),
    "key-exchanges-without-end": forever(HELLO, KEXINIT),
    "greeting-without-end": forever(b"", b"A" * 65536),
    "lines-without-end": forever(b"", b"x" * 80 + b"\r\n"),
    "zeros": once(bytes(100_000)),
    "noise": lambda connection: once(os.urandom(200_000))(connection),
    "controls-in-the-greeting": once(b"\x1b]0;title\x07\x1b[31mSSH-1.5-\x1b[2J\r\n"),
    "controls-in-the-farewell": once(
        HELLO + packet(b"\x01" + struct.pack(">I", 2) + field(b"\x1b]0;title\x07bye\nRun 1 succeeded.") + field(b""))),
    "controls-in-the-lists": once(HELLO, packet(
        b"\x14" + bytes(16) + b"".join(map(field, [b"\x1b[31mred,\x07\nRun 1 succeeded."] + LISTS[1:])) + bytes(5))),
    "packet-of-4-GiB": once(HELLO, b"\xff\xff\xff\xff" + b"A" * 100_000),
    "packets-of-nothing": once(HELLO, bytes(40_000)),
    "reply-of-junk": once(HELLO + KEXINIT, reply(field(b"A" * 10), field(b"B" * 40), field(b"C" * 10))),
    "host-key-of-4-GiB": once(HELLO + KEXINIT, reply(struct.pack(">I", 0xFFFFFFF0) + b"A" * 100)),
    "a-byte-now-and-then": drip,
    "silence": once(),
}


def serve(connection, kind):
    try:
        KINDS[kind](connection)
    except OSError:
        pass
    connection.close()


def main():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((sys.argv[1], int(sys.argv[2])))
    listener.listen(64)
    print("ready", flush=True)
    while True:
        threading.Thread(target=serve, args=(listener.accept()[0], sys.argv[3]), daemon=True).start()


if __name__ == "__main__":
    main()
