# SPDX-License-Identifier: LGPL-2.1-or-later
"""Missing secrets: who is asked, and what is said if nobody has them."""

import pytest

from manager import STARTED, STARTING, STOPPED, Refused, connection


def test_need_secrets(world):
    me = world.account()
    service = world.service()
    assert service.need_secrets(connection(me.data())) == "vpn"
    assert service.need_secrets(connection(me.data(), me.secrets())) == ""
    # The profile says that it has a preshared key, and where it is kept: it is needed as well.
    with_psk = me.data(preshared_key_flags="1")
    assert service.need_secrets(connection(with_psk, me.secrets())) == "vpn"
    # Faults are for Connect to name; secrets are asked for all the same.
    assert service.need_secrets(connection(me.data(mtu="x"))) == "vpn"
    assert "private-key" in service.log()


@pytest.mark.parametrize("flags, missing", [
    ("0", "vpn"),  # for all users
    ("1", "vpn"),  # for this user
    ("2", "vpn"),  # asked for each time
    ("3", "vpn"),
    ("4", ""),     # not required
    ("5", ""),
])
def test_flags(world, flags, missing):
    """Wherever a key is kept, it is needed if it is not there; unless it is not required. That is
    no choice for the private key: there is no tunnel without."""
    me = world.account()
    service = world.service()
    data = me.data(preshared_key_flags=flags)
    assert service.need_secrets(connection(data, me.secrets())) == missing
    data = me.data(private_key_flags=flags)
    assert service.need_secrets(connection(data)) == "vpn"
    assert service.need_secrets(connection(data, me.secrets())) == ""


def test_connect_without_key(world):
    me = world.account()
    service = world.service()
    with pytest.raises(Refused, match="private-key.*secret agent") as refused:
        service.connect(connection(me.data()))
    assert refused.value.name == "BadArguments"
    service.wait_state(STOPPED)
    assert service.names() == [STOPPED]
    assert service.wait_exit() == 0


def test_interactive(world):
    """The missing key is asked for, by name, and the connection goes on with the answer."""
    me = world.account()
    service = world.service()
    service.connect_interactive(connection(me.data()))
    service.wait_signal("SecretsRequired")
    assert service.names() == [STARTING, "SecretsRequired"]
    message, secrets = dict(service.signals)["SecretsRequired"].unpack()
    assert "office" in message and "private-key" in message
    assert secrets == ["private-key"]
    service.new_secrets(connection(me.data(), me.secrets()))
    service.wait_state(STARTED)
    assert service.names()[2:] == ["Config", "Ip4Config", STARTED]
    service.disconnect()
    assert service.wait_exit() == 0
    assert "failed" not in service.log()


def test_interactive_with_key(world):
    me = world.account()
    service = world.service()
    service.connect_interactive(me.connection())
    service.wait_state(STARTED)
    assert "SecretsRequired" not in service.names()


def test_interactive_without_answer(world):
    me = world.account()
    service = world.service()
    service.connect_interactive(connection(me.data()))
    service.wait_signal("SecretsRequired")
    with pytest.raises(Refused, match="private-key.*secret agent"):
        service.new_secrets(connection(me.data()))
    service.wait_state(STOPPED)
    assert service.wait_exit() == 0


def test_nobody_answers(world):
    """NetworkManager gives up without a word: the log has the outcome, and what to do."""
    me = world.account()
    service = world.service()
    assert service.need_secrets(connection(me.data())) == "vpn"
    assert service.need_secrets(connection(me.data())) == "vpn"
    service.connect_interactive(connection(me.data()))
    service.wait_signal("SecretsRequired")
    service.disconnect()
    assert service.wait_exit() == 0
    needed, outcome = service.log().splitlines()
    assert "“office” needs the secret “private-key”" in needed
    assert "“office” failed: nobody gave the secret “private-key”" in outcome
    assert "nmcli --ask connection up" in outcome


def test_interactive_with_fault(world):
    """A fault is named at once: nobody types a key in vain."""
    me = world.account()
    service = world.service()
    with pytest.raises(Refused, match="mtu"):
        service.connect_interactive(connection(me.data(mtu="1")))
    assert "SecretsRequired" not in service.names()
