# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the running service may still do, and that nothing of a key stays in it."""

import os
import signal

import pytest

from lab import generate_psk, wait_for
from lab.confined import (assert_confined, assert_daemon_confined, assert_hidden, has_ended,
                          in_memory, spellings, status)
from manager import STARTED, STOPPED, connection


def resolver_of(service):
    with open(f"/proc/{service.pid}/task/{service.pid}/children", encoding="ascii") as file:
        (pid,) = file.read().split()
    return int(pid)


def test_confined_before_anybody_is_heard(world):
    """From the first call on, and with a tunnel."""
    service = world.service()
    assert_daemon_confined(service.pid, False)
    service.connect(world.account().connection())
    service.wait_state(STARTED)
    assert_daemon_confined(service.pid, True)


def test_names_are_resolved_by_nobody(world):
    """By another process, that is not root, has no capability, and ends with the service."""
    service = world.service()
    pid = resolver_of(service)
    (fields,) = status(pid).values()
    assert_confined(fields, 0)
    assert_hidden(pid)
    assert fields["Uid"].split() == fields["Gid"].split() == ["65534"] * 4
    assert fields.get("Groups", "").split() == []
    service.close()
    wait_for(lambda: has_ended(pid), "the resolver to end")


def test_names_are_resolved(world):
    """With what /etc/hosts says at that time: it is not the file of the start."""
    service = world.service()
    world.computer.sh("cp /etc/hosts /run/lab/hosts && echo '192.0.2.1 gw.test' >> /run/lab/hosts"
                      " && mount --bind /run/lab/hosts /etc/hosts")
    try:
        service.connect(world.account(endpoint="gw.test:51820").connection())
        service.wait_state(STARTED)
    finally:
        world.computer.run("umount", "/etc/hosts")


@pytest.mark.parametrize("env", [{}, {"CULVERT_SANDBOX": "no"}])
@pytest.mark.parametrize("user, group, shown", [("nobody", "daemon", "user nobody group daemon"),
                                                ("4000000", None, "user 4000000")])
def test_accounts_are_found(world, env, user, group, shown):
    """By that process, too, as the service cannot look into /etc/passwd."""
    service = world.service(env=env)
    service.connect(world.account().connection(tun_user=user, tun_group=group))
    service.wait_state(STARTED)
    assert shown in world.computer.output("ip", "-d", "link", "show", "culvert0")


@pytest.mark.parametrize("env", [{}, {"CULVERT_SANDBOX": "no"}])
@pytest.mark.parametrize("setting, kind", [("tun_user", "user"), ("tun_group", "group")])
def test_no_such_account(world, env, setting, kind):
    service = world.service(env=env)
    service.connect(world.account().connection(**{setting: "no-such-account"}))
    service.wait_log(f"failed: tun-{kind}: there is no {kind} “no-such-account” on this computer")
    service.wait_state(STOPPED)
    assert world.computer.devices() == []


def test_disconnected_while_an_account_is_looked_for(world):
    service = world.service()
    os.kill(resolver_of(service), signal.SIGSTOP)
    service.connect(world.account().connection(tun_user="nobody"))
    service.disconnect()
    service.wait_state(STOPPED)
    assert service.wait_exit() == 0


def test_resolver_gone(world):
    """Without it no name is found, and the connection says so and ends; addresses still do."""
    service = world.service("--persist")
    os.kill(resolver_of(service), 9)
    service.wait_log("cannot be resolved any more")
    service.connect(world.account(endpoint="gw.test:51820").connection(timeout=4))
    service.wait_log("“gw.test:51820” could not be resolved")
    service.wait_state(STOPPED)
    service.connect(world.account().connection(tun_group="nogroup"))
    service.wait_log("tun-group: the group “nogroup” could not be looked up")
    service.connect(world.account().connection())
    service.wait_state(STARTED)


def test_switched_off(world):
    """For debugging, and not in silence."""
    service = world.service(env={"CULVERT_SANDBOX": "no"})
    assert "Not confined" in service.log()
    assert {fields["Seccomp"] for fields in status(service.pid).values()} == {"0"}


@pytest.mark.parametrize("port", ["0", "443"])
def test_ports(world, port):
    service = world.service()
    service.connect(world.account().connection(listen_port=port, fwmark="0xca6c"))
    service.wait_state(STARTED)


def test_no_key_stays(world):
    """After a disconnect: neither as it was used, nor in any of the copies that came through D-Bus,
    GLib and libnm."""
    me = world.account(known=False)
    psk = generate_psk()
    world.admit(me, psk)
    needles = spellings("private", me.keys.private) | spellings("psk", psk)
    service = world.service("--persist")
    for _ in range(3):
        service.connect(connection(me.data(), me.secrets(preshared_key=psk)))
        service.wait_state(STARTED)
        # While it is connected they are where they are used alone.
        wait_for(lambda: in_memory(service.pid, needles) == {"private", "psk"}, "copies to go")
        service.disconnect()
        service.wait_state(STOPPED)
        service.signals.clear()
        wait_for(lambda: in_memory(service.pid, needles) == set(), "the keys to be gone")


def test_no_key_stays_when_refused(world):
    me = world.account()
    psk = generate_psk()
    needles = spellings("private", me.keys.private) | spellings("psk", psk)
    service = world.service("--persist")
    assert service.need_secrets(connection(me.data(), me.secrets(preshared_key=psk))) == ""
    with pytest.raises(Exception, match="mtu"):
        service.connect(connection(me.data(mtu="1"), me.secrets(preshared_key=psk)))
    wait_for(lambda: in_memory(service.pid, needles) == set(), "the keys to be gone")
