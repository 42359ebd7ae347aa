# SPDX-License-Identifier: LGPL-2.1-or-later
"""The bus's policy: everybody may read the status, and only root may do anything else."""

import pytest

from manager import PATH, SERVICE, STARTED, STARTING, STOPPED
from status import PROPERTIES, STATUS, STATUS_PATH, properties

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]


def ask(world, who, service, path, member, *args):
    return world.computer.run(*who, "dbus-send", "--system", "--print-reply",
                              f"--dest={service.name}", path, member, *args, check=False).stdout


@pytest.fixture(name="two_names", params=[SERVICE, None])
def fixture_two_names(request, world):
    """The service under its plain name, and under that of a further connection."""
    service = world.service(name=request.param)
    service.connect(world.account().connection())
    service.wait_state(STARTED)
    return service


def test_everybody_may_read(world, two_names):
    for member, *args in ((STATUS + ".GetStatus",),
                          (PROPERTIES + ".GetAll", f"string:{STATUS}"),
                          (PROPERTIES + ".Get", f"string:{STATUS}", "string:State")):
        for who in (NOBODY, []):
            assert '"connected"' in ask(world, who, two_names, STATUS_PATH, member, *args)
    introspect = "org.freedesktop.DBus.Introspectable.Introspect"
    assert "GetStatus" in ask(world, NOBODY, two_names, STATUS_PATH, introspect)


VPN = "org.freedesktop.NetworkManager.VPN.Plugin."


@pytest.mark.parametrize("path, member, args", [
    *((PATH, VPN + member, ["dict:string:string:"]) for member in
      ("Connect", "ConnectInteractive", "NeedSecrets", "NewSecrets")),
    (PATH, VPN + "Disconnect", []),
    (PATH, VPN + "SetFailure", ["string:x"]),
    (PATH, VPN + "SetConfig", ["dict:string:string:"]),
    (PATH, VPN + "SetIp4Config", ["dict:string:string:"]),
    (PATH, PROPERTIES + ".Get", [f"string:{VPN[:-1]}", "string:State"]),
    (PATH, PROPERTIES + ".GetAll", [f"string:{VPN[:-1]}"]),
    (PATH, STATUS + ".GetStatus", []),
    (STATUS_PATH, PROPERTIES + ".Set", [f"string:{STATUS}", "string:State", "variant:string:x"]),
    (STATUS_PATH, VPN + "Disconnect", []),
    (STATUS_PATH, STATUS + ".Other", []),
])
def test_nobody_else_may_more(world, two_names, path, member, args):
    assert "AccessDenied" in ask(world, NOBODY, two_names, path, member, *args)
    assert properties(two_names)["State"] == "connected"


def test_root_may_disconnect(world, two_names):
    assert "method return" in ask(world, [], two_names, PATH, VPN + "Disconnect")
    two_names.wait_state(STOPPED)
    assert STARTING in two_names.names()


def test_only_root_may_be_the_service(world):
    for name in (SERVICE, SERVICE + ".Connection_99"):
        own = ["dbus-send", "--system", "--print-reply", "--dest=org.freedesktop.DBus", "/",
               "org.freedesktop.DBus.RequestName", f"string:{name}", "uint32:0"]
        assert "AccessDenied" in world.computer.run(*NOBODY, *own, check=False).stdout
        assert world.computer.succeeds(*own)
