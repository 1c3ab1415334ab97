"""Throws datagrams at a node's UDP port: raw noise, and typed operations of the tunnel with wrong contents. Seeded.

usage: sender.py HOST PORT SEED SECONDS NETWORK_NAME
"""
import random
import socket
import struct
import sys
import time

host, port, seed, seconds, network = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]), sys.argv[5]
rng = random.Random(seed)
sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
for s in sockets:
    s.setblocking(False)


def noise(limit=300):
    return rng.randbytes(rng.choice([0, 1, 7, 8, 15, 16, 23, 24, 31, 40, rng.randrange(limit)]))


def tunnel(kind, body, conn_id=None, length=None):
    conn_id = rng.choice([0, 1, 7, 0xFFFFFFFF, rng.getrandbits(32)]) if conn_id is None else conn_id
    return struct.pack("<IBBH", conn_id, kind, rng.getrandbits(8), len(body) if length is None else length) + body


def peer_packet(kind, payload, to=None, flags=None):
    ids = [0, 1, 0xFFFFFFFF, rng.getrandbits(32)]
    flags = rng.choice([0, 1, 0x10, 0xFF, rng.getrandbits(8)]) if flags is None else flags
    return struct.pack("<IIBBBBI", rng.choice(ids), rng.choice(ids) if to is None else to, kind, flags,
                       rng.getrandbits(8), rng.getrandbits(8), rng.choice([len(payload), rng.getrandbits(32)])) + payload


def varint(value):
    out = b""
    while True:
        out += bytes([(value & 127) | (128 if value > 127 else 0)])
        value >>= 7
        if value == 0:
            return out


def handshake():
    name = network.encode() if rng.random() < 0.5 else noise()
    digest = rng.randbytes(rng.choice([0, 31, 32, 32, 33]))
    fields = [b"\x08" + varint(0xD1E1A5E1), b"\x10" + varint(rng.getrandbits(32)), b"\x18\x01",
              b"\x2a" + varint(len(name)) + name, b"\x32" + varint(len(digest)) + digest]
    if rng.random() < 0.3:
        rng.shuffle(fields)
    body = b"".join(fields)
    if rng.random() < 0.3:
        body = body[: rng.randrange(len(body) + 1)]
    if rng.random() < 0.2:
        body = b"\x2a" + varint(rng.choice([2**31, 2**63, 10**6])) + body
    return peer_packet(2, body, 0, 0)


def datagram():
    kind = rng.randrange(10)
    if kind == 0:
        return noise(1500)
    if kind == 1:
        return tunnel(1, rng.randbytes(8))
    if kind == 2:
        return tunnel(rng.getrandbits(8), noise(), length=rng.getrandbits(16))
    if kind == 3:
        return tunnel(2, rng.randbytes(8))
    if kind == 4:
        return tunnel(3, handshake())
    if kind == 5:
        return tunnel(3, peer_packet(rng.randrange(32), noise(1200)))
    if kind == 6:
        return struct.pack(">HH", rng.getrandbits(14), rng.getrandbits(16)) + b"\x21\x12\xa4\x42" + noise()
    if kind == 7:
        return tunnel(rng.choice([5, 6, 7]), noise(64))
    if kind == 8:
        return tunnel(3, peer_packet(rng.choice([8, 9, 11, 12, 1]), rng.randbytes(rng.randrange(1400)), flags=1))
    return tunnel(3, noise(1990))


sent = 0
end = time.monotonic() + seconds
while time.monotonic() < end:
    conn_id = rng.getrandbits(32)
    for _ in range(50):
        s = rng.choice(sockets)
        try:
            if rng.random() < 0.2:
                # A session that begins as it should, then goes wrong.
                s.sendto(tunnel(1, rng.randbytes(8), conn_id), (host, port))
                s.sendto(tunnel(3, handshake(), conn_id), (host, port))
                sent += 2
            else:
                s.sendto(datagram(), (host, port))
                sent += 1
        except OSError:
            pass
    time.sleep(0.002)
print(sent, flush=True)
