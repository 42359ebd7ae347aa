# SPDX-License-Identifier: LGPL-2.1-or-later
"""A gateway that does not answer: within 20 s NetworkManager hears of the failure, and the log
tells a person what was tried and what it may be due to."""

import re
import time

import pytest

from lab import KeyPair, generate_psk
from manager import CONNECT_FAILED, STARTING, STOPPED, STOPPING, connection, iterate

DEADLINE = 20


class Failure:
    def __init__(self, service):
        self.service = service
        self.log = service.log()
        self.names = service.names()
        self.failures = [args.unpack()[0] for name, args in service.signals if name == "Failure"]


@pytest.fixture(scope="module", name="failures")
def fixture_failures(module_world):
    """All at the same time, as each takes as long as a gateway may."""
    world = module_world
    known, unknown = world.account(), world.account(known=False)
    profiles = {
        "silent": known.connection(endpoint="192.0.2.1:9; [2001:db8:2::1]:9"),
        "wrong key": known.connection(public_key=KeyPair.generate().public),
        "not known": unknown.connection(),
        "wrong psk": connection(known.data(), known.secrets(preshared_key=generate_psk())),
        "bad name": known.connection(endpoint="gateway.example:51820"),
        "no endpoint": known.connection(endpoint=None),
    }
    services = {name: world.service() for name in profiles}
    start = time.monotonic()
    for name, profile in profiles.items():
        services[name].connect(profile)
    iterate(lambda: all(STOPPED in s.names() for s in services.values()),
            "all connections to fail", DEADLINE + 10)
    took = time.monotonic() - start
    assert all(service.wait_exit() == 0 for service in services.values())
    assert took < DEADLINE
    yield {name: Failure(service) for name, service in services.items()}
    world.close_services()


@pytest.mark.parametrize("name", ["silent", "wrong key", "not known", "wrong psk", "bad name",
                                  "no endpoint"])
def test_signals(failures, name):
    """One failure, and STOPPING before it: libnm would add a second one."""
    failure = failures[name]
    assert failure.names == [STARTING, STOPPING, "Failure", STOPPED]
    assert failure.failures == [CONNECT_FAILED]
    assert "no gateway answered within 18 seconds" in failure.log


@pytest.mark.parametrize("name", ["silent", "wrong key", "bad name", "no endpoint"])
def test_said_once(failures, name):
    """No line of the log repeats another, each has its own cause."""
    lines = [line.split("> ", 1)[1] for line in failures[name].log.splitlines()]
    assert len(lines) == len(set(lines))
    assert not [line for line in lines if "; " in line], lines


def test_timeout_of_the_profile(world):
    """NetworkManager would end it after vpn.timeout, without a reason: we come first."""
    service = world.service()
    start = time.monotonic()
    service.connect(world.account(known=False).connection(timeout=5))
    service.wait_state(STOPPED)
    assert 2.5 < time.monotonic() - start < 4.5
    assert "Failure" in service.names()
    assert "no gateway answered within 3 seconds" in service.log()
    assert "192.0.2.1:51820: tried once, no answer" in service.log()


def test_ended_before_an_answer(world):
    """Who gave up waiting reads what was tried until then."""
    service = world.service()
    service.connect(world.account(known=False).connection())
    service.wait_log("Trying ")
    service.disconnect()
    assert service.wait_exit() == 0
    assert "“office” was ended before a gateway answered" in service.log()
    assert "192.0.2.1:51820: tried once, no answer" in service.log()
    assert "Disconnected after" not in service.log()


def test_no_device(failures, module_world):
    assert module_world.computer.devices() == []


def test_silent(failures):
    """Each endpoint, how often it was tried, and the likely causes."""
    log = failures["silent"].log
    for endpoint in ("192.0.2.1:9", "[2001:db8:2::1]:9"):
        assert re.search(re.escape(endpoint) + r": tried (once|\d+ times), no answer", log), log
    assert "\n" in log.split("Likely causes")[1].split("the gateway is off, or a firewall")[0]


@pytest.mark.parametrize("name", ["wrong key", "not known"])
def test_wrong_key(failures, name):
    """Silence is all WireGuard answers to a wrong key: the causes name it."""
    log = failures[name].log
    assert re.search(r"192\.0\.2\.1:51820: tried (once|\d+ times), no answer", log), log
    assert "the public key in the profile is not the gateway's" in log
    assert "does not know this computer's public key" in log


def test_wrong_preshared_key(failures):
    """The one wrong key that can be told from silence."""
    log = failures["wrong psk"].log
    assert re.search(r"192\.0\.2\.1:51820: tried (once|\d+ times), no valid answer", log), log
    assert "preshared key is not the one the gateway has" in log
    assert "firewall" not in log


def test_own_public_key(failures, module_world):
    """What the gateway's administrator has to compare with."""
    keys = re.findall(r"This computer's public key is (\S{44})", failures["not known"].log)
    assert len(keys) == 1
    assert keys[0] not in module_world.gateway.show("allowed-ips")


def test_name(failures):
    log = failures["bad name"].log
    assert re.search(r"“gateway\.example:51820”: the name could not be resolved, tried", log), log
    assert "the name is misspelt" in log
    assert "public key in the profile" not in log


def test_no_endpoint(failures):
    assert "No peer has an endpoint" in failures["no endpoint"].log
