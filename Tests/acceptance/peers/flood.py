#!/usr/bin/env python3
"""flood.py ADDRESS PORT HOSTKEY KIND: an SSH server that lets everybody in, takes commands, and answers none.

KIND says what it sends instead: `silence`, or packets without end of the kind of that name in PACKETS; or the names of a
key exchange, a cipher and a MAC, which are the only ones that it knows. It says "ready" once it listens."""
import asyncio
import struct
import sys

import asyncssh

SIZE = 30000


def u32(*numbers):
    return struct.pack(f">{len(numbers)}I", *numbers)


def text(data):
    return u32(len(data)) + data


PACKETS = {
    "answers": (99, u32(0) + bytes(SIZE)),
    "ignored": (2, text(b"x" * SIZE)),
    "unknown": (200, bytes(SIZE)),
    "debug": (4, b"\1" + text(b"\x1b[31mred" + b"x" * SIZE) + text(b"")),
    "requests": (80, text(b"keepalive@openssh.com") + b"\1"),
    "channels": (90, text(b"forwarded-tcpip") + u32(7, 1 << 21, 1 << 15) + text(b"h") + u32(80) + text(b"h") + u32(80)),
    "agents": (90, text(b"auth-agent@openssh.com") + u32(7, 1 << 21, 1 << 15)),
    "banners": (53, text(b"b" * SIZE) + text(b"")),
    "data": (94, u32(0) + text(b"d" * 10)),
    "windows": (93, u32(0, 1)),
}
kinds = sys.argv[4:]


async def flood(connection):
    kind, payload = PACKETS[kinds[0]]
    transport = connection.get_extra_info("socket") and connection._transport
    while connection._transport:
        for _ in range(32):
            connection.send_packet(kind, payload)
        await asyncio.sleep(0)
        while connection._transport and transport.get_write_buffer_size() > 1 << 20:
            await asyncio.sleep(0.001)


class Server(asyncssh.SSHServer):
    def connection_made(self, connection):
        self.connection = connection

    def begin_auth(self, user):
        return True

    def public_key_auth_supported(self):
        return True

    def validate_public_key(self, user, key):
        return True

    def auth_completed(self):
        print("in", flush=True)
        if kinds[0] in PACKETS:
            self.task = asyncio.get_event_loop().create_task(flood(self.connection))


async def command(process):
    await asyncio.sleep(3600)


async def main():
    algorithms = {}
    if len(kinds) == 3:
        algorithms = dict(zip(("kex_algs", "encryption_algs", "mac_algs"), ([kind] for kind in kinds)))
    await asyncssh.create_server(
        Server, sys.argv[1], int(sys.argv[2]), server_host_keys=[sys.argv[3]], process_factory=command, encoding=None,
        compression_algs=["none"], keepalive_interval=0, login_timeout=0,
        reuse_address=True, **algorithms)
    print("ready", flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
