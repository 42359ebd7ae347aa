# SPDX-License-Identifier: LGPL-2.1-or-later
"""The process: how it starts, how it ends, and that nothing of it stays."""

import os
import signal
import socket

import pytest

from manager import PROGRAM, SERVICE, STARTED, STARTING, STOPPED, Refused


def test_default_name(world):
    service = world.service(name=SERVICE)
    assert service.need_secrets(world.account().connection()) == ""


def test_version(world):
    assert world.computer.output(PROGRAM, "--version").startswith("nm-culvert-service ")


@pytest.mark.parametrize("argv", [["--nonsense"], ["extra"], ["--bus-name", "not a name"]])
def test_bad_options(world, argv):
    result = world.computer.run(PROGRAM, *argv, check=False)
    assert result.returncode == 1
    assert argv[-1] in result.stdout


def test_second_connect(world):
    """A process serves one connection at a time."""
    me = world.account()
    service = world.service()
    service.connect(me.connection())
    with pytest.raises(Refused) as refused:
        service.connect(me.connection())
    assert refused.value.name == "WrongState"


def test_killed(world):
    """The kernel takes the device away with the process."""
    service = world.service()
    service.connect(world.account().connection(ifname="gone0"))
    service.wait_state(STARTED)
    assert world.computer.devices() == ["gone0"]
    os.kill(service.pid, signal.SIGKILL)
    service.wait_exit()
    assert world.computer.devices() == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signal(world, number):
    """It ends in order: NetworkManager hears of it, the last signal included."""
    service = world.service()
    service.connect(world.account().connection())
    service.wait_state(STARTED)
    os.kill(service.pid, number)
    service.wait_state(STOPPED)
    assert service.wait_exit() == 0


def test_cancelled(world):
    service = world.service()
    service.connect(world.account(known=False).connection())
    service.wait_state(STARTING)
    service.disconnect()
    service.wait_state(STOPPED)
    assert service.wait_exit() == 0


def test_manager_vanishes(world):
    service = world.service()
    service.connect(world.account().connection())
    service.wait_state(STARTED)
    service.bus.close_sync(None)
    assert service.wait_exit() == 0
    assert world.computer.devices() == []


@pytest.mark.parametrize("connected", [True, False])
def test_bus_vanishes(world, connected):
    service = world.service()
    if connected:
        service.connect(world.account().connection())
        service.wait_state(STARTED)
    world.computer.stop_bus()
    try:
        assert service.wait_exit() == 0
        assert world.computer.devices() == []
        # With a connection the service may first hear that NetworkManager left the bus.
        assert connected or "The D-Bus connection is gone" in service.log()
    finally:
        world.computer.start_bus()


def test_persist(world):
    """For debugging: one process, one connection after the other, of other families, too."""
    me = world.account()
    service = world.service("--persist")
    service.connect(me.connection(address=f"10.8.0.{me.number}/24, fd08::{me.number}/64"))
    service.wait_state(STARTED)
    service.disconnect()
    service.wait_state(STOPPED)
    service.signals.clear()
    service.connect(me.connection())
    service.wait_state(STARTED)
    service.disconnect()
    service.wait_state(STOPPED)


def test_log_level(world):
    """NM_VPN_LOG_LEVEL 4 is for warnings; --debug is louder than any level."""
    quiet = world.service(env={"NM_VPN_LOG_LEVEL": "4"})
    loud = world.service("--debug", env={"NM_VPN_LOG_LEVEL": "4"})
    for service in (quiet, loud):
        service.connect(world.account().connection())
        service.wait_state(STARTED)
    assert quiet.log() == ""
    assert "<debug>" in loud.log() and "<info>" in loud.log()


def test_log_to_journal(world):
    """NM_VPN_LOG_SYSLOG=1: to the journal if there is one, else it would be lost."""
    syslog = {"NM_VPN_LOG_SYSLOG": "1"}
    service = world.service(env=syslog)
    service.connect(world.account().connection())
    service.wait_state(STARTED)
    assert "Connecting “office”" in service.log()

    world.computer.run("mkdir", "-p", "/run/systemd/journal")
    path = f"/proc/{world.computer.pid}/root/run/systemd/journal/socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journal:
        journal.bind(path)
        try:
            service = world.service(env=syslog)
            service.connect(world.account().connection())
            journal.settimeout(10)
            entry = journal.recv(4096).decode()
        finally:
            os.unlink(path)
    assert "MESSAGE=Connecting “office”" in entry
    assert "PRIORITY=5\n" in entry and "SYSLOG_IDENTIFIER=nm-culvert-service\n" in entry
    assert service.log() == ""
