# SPDX-License-Identifier: LGPL-2.1-or-later
"""Keys that an agent has stored in the keyring: the dialog finds them where the profile says that
agents keep them, and nowhere else."""

import uuid

import pytest

from lab import KeyPair, generate_psk


@pytest.fixture(name="stored")
def fixture_stored(session):
    """A connection with both of its keys in the keyring."""
    identity, private, psk = str(uuid.uuid4()), KeyPair.generate().private, generate_psk()
    session.keep(identity, "private-key", private)
    session.keep(identity, "peer2-preshared-key", psk)
    return identity, private, psk


def test_found(start, stored):
    identity, private, psk = stored
    dialog = start("-i", id=identity, data={"private-key-flags": "1",
                                            "peer2-preshared-key-flags": "1"})
    assert dialog.answer() == ["private-key", private, "peer2-preshared-key", psk]
    assert dialog.end("QUIT\n")[0] == 0


def test_found_for_an_agent_with_a_window(start, stored):
    identity, private, _psk = stored
    dialog = start("-i", "--external-ui-mode", id=identity, data={"private-key-flags": "1"})
    form = "\n".join(dialog.answer())
    assert f"[private-key]\nValue={private}\n" in form and "ShouldAsk=false" in form
    assert dialog.end("QUIT\n")[0] == 0


def test_what_the_agent_gives_comes_first(start, stored):
    identity, _private, _psk = stored
    other = KeyPair.generate().private
    dialog = start(id=identity, data={"private-key-flags": "1"}, secrets={"private-key": other})
    assert dialog.answer() == ["private-key", other]


@pytest.mark.parametrize("flags", ["0", "2", "3", "4"])
def test_not_looked_for(start, stored, flags):
    """Kept by NetworkManager, asked for each time (also if both are said), or not needed."""
    identity, _private, _psk = stored
    dialog = start(id=identity, data={"private-key-flags": flags})
    assert dialog.answer() == []


def test_of_another_connection(start, stored):
    dialog = start(data={"private-key-flags": "1"})
    assert dialog.answer() == []


def test_without_a_bus(start, stored):
    identity, _private, _psk = stored
    dialog = start(id=identity, data={"private-key-flags": "1"},
                   DBUS_SESSION_BUS_ADDRESS="unix:path=/nonexistent")
    assert dialog.answer() == []
    assert dialog.end("QUIT\n")[0] == 0
