# SPDX-License-Identifier: LGPL-2.1-or-later
"""A computer with a bus and a stock WireGuard gateway."""

import dataclasses
import itertools

from lab import KeyPair
from manager import Computer, Service, connection

OUTSIDE = ("192.0.2.0/24", "2001:db8:2::/64")  # the gateway is number 1, the computer 2


@dataclasses.dataclass
class Account:
    """Who the gateway knows: the settings of a connection that works."""

    keys: KeyPair
    gateway: object
    number: int
    endpoint: str = "192.0.2.1:51820"

    def data(self, **changes):
        """vpn.data; a change to None leaves the key out, "_" stands for "-"."""
        data = {
            "address": f"10.8.0.{self.number}/24",
            "public-key": self.gateway.keys.public,
            "endpoint": self.endpoint,
            "allowed-ips": "10.8.0.0/24",
        }
        data |= {key.replace("_", "-"): value for key, value in changes.items()}
        return {key: value for key, value in data.items() if value is not None}

    def secrets(self, **more):
        return {"private-key": self.keys.private,
                **{key.replace("_", "-"): value for key, value in more.items()}}

    def connection(self, ifname=None, name="office", timeout=None, persistent=False, **changes):
        return connection(self.data(**changes), self.secrets(), name, ifname, timeout,
                          persistent=persistent)


class World:
    def __init__(self, lab):
        self.computer = Computer("computer", lab.out, None)
        lab.hosts.append(self.computer)
        self.gateway = lab.add_gateway("gateway")
        lab.link(self.computer, self.gateway, *OUTSIDE)
        self.gateway.start()
        self.computer.start()
        self.services = []
        self._numbers = itertools.count(10)

    def service(self, *options, **kwargs):
        service = Service(self.computer, *options, **kwargs)
        self.services.append(service)
        return service

    def account(self, known=True, **kwargs):
        """Keys and an address; `known`: the gateway knows them, too."""
        number = next(self._numbers)
        account = Account(KeyPair.generate(), self.gateway, number, **kwargs)
        if known:
            self.admit(account)
        return account

    def admit(self, account, psk=None):
        self.gateway.add_peer(account.keys.public,
                              f"10.8.0.{account.number}/32,fd08::{account.number}/128", psk)

    def close_services(self):
        """Ends them all, also when one of them ends badly."""
        faults = []
        while self.services:
            try:
                self.services.pop().close()
            except AssertionError as fault:
                faults.append(str(fault))
        assert not faults, "\n".join(faults)
