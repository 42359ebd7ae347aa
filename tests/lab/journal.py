# SPDX-License-Identifier: LGPL-2.1-or-later
"""A stand-in for systemd's journal: `journal.py SOCKET` prints what is sent to the socket in the
journal's native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL/), a line a message: who says
it, what, a tab, and the connection that it is about."""

import os
import socket
import struct
import sys


def parse(datagram):
    """The fields of an entry: lines of KEY=value, or KEY, a 64-bit length, and the value."""
    fields = {}
    while datagram:
        line, _newline, datagram = datagram.partition(b"\n")
        key, equals, value = line.partition(b"=")
        if not equals and key:
            size, = struct.unpack_from("<Q", datagram)
            value, datagram = datagram[8:8 + size], datagram[8 + size + 1:]
        fields[key.decode()] = value.decode(errors="replace")
    return fields


def main(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as entries:
        entries.bind(path)
        while True:
            fields = parse(entries.recv(1 << 20))
            print(f"{fields.get('SYSLOG_IDENTIFIER', '?')}: {fields.get('MESSAGE', '')}"
                  f"\tNM_CONNECTION={fields.get('NM_CONNECTION', '')}", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
