"""Forwards the multicast of one group between interfaces, for routers whose kernel cannot; keeps each sender's address.

    relay.py GROUP INTERFACE...

Answers go straight to the sender, so its address must stay in the packet: whole IP packets are repeated, each with a
hop less.
"""

import selectors
import socket
import struct
import sys

ETH_P_IP = 0x0800
UDP = 17
MAX_PACKET_BYTES = 65_535
HEADER_BYTES = 20
UDP_BYTES = 8


def hop(packet: bytes, group: bytes) -> bytes | None:
    """The packet as the next network gets it; None where it must not go on."""
    if len(packet) < HEADER_BYTES or packet[0] >> 4 != 4 or packet[9] != UDP or packet[16:20] != group:
        return None
    length = (packet[0] & 15) * 4
    if length < HEADER_BYTES or len(packet) < length or packet[8] <= 1:
        return None
    header = bytearray(packet[:length])
    header[8] -= 1
    header[10:12] = b"\0\0"
    header[10:12] = struct.pack("!H", checksum(header))
    (total,) = struct.unpack("!H", packet[2:4])
    inside = bytearray(packet[length:total])
    if len(inside) >= UDP_BYTES and packet[6] & 0x3F == packet[7] == 0:
        # The sender may have left the checksum to a network card that does not exist; 0 means that there is none.
        inside[6:8] = b"\0\0"
    return bytes(header + inside)


def checksum(header: bytes | bytearray) -> int:
    """Of an IPv4 header (RFC 1071)."""
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def main(group: str, *names: str) -> None:
    """Relay until the container ends."""
    wanted = socket.inet_aton(group)
    target = b"\x01\x00\x5e" + bytes([wanted[1] & 0x7F, wanted[2], wanted[3]])
    selector = selectors.DefaultSelector()
    ears: dict[str, socket.socket] = {}
    members = []
    for name in names:
        # Membership, so that switches between us and the senders let the group through.
        member = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        request = wanted + bytes(4) + struct.pack("=i", socket.if_nametoindex(name))
        member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, request)
        ear = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_IP))
        ear.bind((name, ETH_P_IP))
        selector.register(ear, selectors.EVENT_READ, name)
        ears[name] = ear
        members.append(member)
    while True:
        for key, _ in selector.select():
            arrived = key.data
            packet, sender = ears[arrived].recvfrom(MAX_PACKET_BYTES)
            repeated = None if sender[2] == socket.PACKET_OUTGOING else hop(packet, wanted)
            for name, ear in ears.items():
                if repeated is not None and name != arrived:
                    send(ear, repeated, name, target)


def send(ear: socket.socket, packet: bytes, name: str, target: bytes) -> None:
    """Give a packet to a network; one that is down for a moment costs this packet only."""
    try:
        ear.sendto(packet, (name, ETH_P_IP, 0, 0, target))
    except OSError as error:
        print(f"relay: {name}: {error}")


if __name__ == "__main__":
    main(*sys.argv[1:])
