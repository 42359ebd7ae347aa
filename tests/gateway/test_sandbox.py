# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the running gateway may still do, and that nothing of a key stays in it."""

import os

import pytest

from conftest import Culvert, Key
from lab.confined import (CAP_SYS_ADMIN, assert_confined, assert_daemon_confined, assert_hidden,
                          has_ended, in_memory, spellings, status)
from lab import generate_psk, wait_for


def test_confined(culvert):
    """Before the interface is up, while it is, and after its port has changed."""
    (pid,) = culvert.host.pids("culvert")
    assert_daemon_confined(pid, False)
    culvert.up()
    culvert.wait_log("is up")
    assert_daemon_confined(pid, True)
    for port in ("443", "51820"):
        culvert.set("listen-port", port, "fwmark", port)
        assert_daemon_confined(pid, True)


def test_confined_in_background(host, no_culvert):
    host.run(os.environ["CULVERT"], "gw1")
    (pid,) = host.pids("culvert")
    assert_daemon_confined(pid, False)


def test_its_other_process(host):
    """One that enters network namespaces, for which it has its one capability. There is none for
    names: `wg` resolves them itself."""
    culvert = Culvert(host)
    (pid,) = host.pids("culvert")
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        (helper,) = map(int, file.read().split())
    (fields,) = status(helper).values()
    assert fields["Name"] == "culvert-netns"
    assert_confined(fields, 1 << CAP_SYS_ADMIN)
    assert_hidden(helper)
    open_there = [os.readlink(f"/proc/{helper}/fd/{fd}") for fd in os.listdir(f"/proc/{helper}/fd")]
    assert sorted(path.split(":")[0] for path in open_there) == ["/dev/null"] * 3 + ["socket"]
    culvert.stop()
    wait_for(lambda: has_ended(helper), "it to end, too")


def test_switched_off(host):
    off = Culvert(host, env={"CULVERT_SANDBOX": "no"})
    (pid,) = host.pids("culvert")
    assert "Not confined" in off.log()
    assert {fields["Seccomp"] for fields in status(pid).values()} == {"0"}
    off.stop()


@pytest.mark.parametrize("how", ["removed", "down"])
def test_no_key_stays(pair, how):
    psk = generate_psk()
    for end, other in ((pair.left, pair.right), (pair.right, pair.left)):
        end.set("peer", other.keys.public, "preshared-key", Key(psk))
    assert pair.ping()
    (pid,) = pair.left.host.pids("culvert")
    needles = spellings("private", pair.left.keys.private) | spellings("psk", psk)
    assert in_memory(pid, needles) == {"private", "psk"}
    if how == "down":
        pair.left.host.run("ip", "link", "set", pair.left.name, "down")
        pair.left.wait_log("is down")
    pair.left.set("private-key", "/dev/null", "peer", pair.right.keys.public, "remove")
    assert in_memory(pid, needles) == set()
