# SPDX-License-Identifier: LGPL-2.1-or-later
"""Capture: what passes an interface, as tcpdump tells it."""

import dataclasses
import re

from lab import wait_for

V4 = re.compile(r"IP \(tos 0x(?P<tos>[0-9a-f]+).*? flags \[(?P<flags>[^\]]*)\], proto (?P<proto>\w+)"
                r".*? length (?P<length>\d+)\)")
V6 = re.compile(r"IP6 \((?:class 0x(?P<tos>[0-9a-f]+), )?.*?next-header (?P<proto>\w+).*?"
                r"payload length: (?P<length>\d+)\)")
UDP = re.compile(r"UDP, length (\d+)")


@dataclasses.dataclass
class Packet:
    """`length`: of the IP packet. `payload`: of the UDP datagram; None: not UDP."""
    tos: int
    df: bool
    length: int
    payload: int
    text: str


class Capture:
    """Of the packets that match tcpdump's `expression`; listening when made."""

    serial = 0

    def __init__(self, host, interface, expression="udp"):
        Capture.serial += 1
        self.host = host
        self.name = f"tcpdump-{interface}-{Capture.serial}"
        self.process = host.spawn("tcpdump", "--immediate-mode", "-lnnvvi", interface, "-Q", "inout",
                                  *expression.split(), log=self.name)
        wait_for(lambda: "listening on" in host.log(self.name), "tcpdump to listen")

    def packets(self):
        found = []
        for text in re.split(r"\n(?=\d\d:\d\d:)", self.host.log(self.name)):
            for family, match in (("4", V4.search(text)), ("6", V6.search(text))):
                if not match:
                    continue
                payload = UDP.search(text)
                found.append(Packet(
                    tos=int(match["tos"] or "0", 16),
                    df=family == "4" and "DF" in match["flags"],
                    length=int(match["length"]) + (40 if family == "6" else 0),
                    payload=int(payload[1]) if payload else None,
                    text=text))
        return found

    def wait(self, count=1):
        return wait_for(lambda: len(self.packets()) >= count and self.packets(),
                        f"{count} packets in {self.name}")

    def stop(self):
        """Ends it; all packets."""
        self.host.stop(self.process)
        return self.packets()
