# SPDX-License-Identifier: LGPL-2.1-or-later
"""The dialog's own window, used with the keyboard alone."""

import pytest

from lab import KeyPair, generate_psk

TITLE = "Authenticate VPN"
AGENT = {"private-key-flags": "1"}


@pytest.fixture(name="private")
def fixture_private():
    return KeyPair.generate().private


def test_typed_key_is_the_answer(start, session, private):
    dialog = start("-i", data=AGENT)
    dialog.wait("password text", "Private key", "FOCUSED")
    assert dialog.find("label", "The VPN “office” needs a key*")
    session.type(private)
    dialog.wait("push button", "Connect", "SENSITIVE")
    session.screenshot("auth-dialog")
    session.keys("Return")
    assert dialog.answer() == ["private-key", private]
    # The agent may take its time; there is nothing to see meanwhile, and nothing more to read.
    dialog.wait_until_gone("frame", TITLE)
    assert dialog.process.poll() is None
    status, rest, complaint = dialog.end("QUIT\n")
    assert (status, rest) == (0, "") and private not in complaint


def test_several_keys(start, session, private):
    """Tab leads from one to the next; what is there is not asked for, and handed back."""
    first, second, third = (generate_psk() for _ in range(3))
    dialog = start("-i", data=AGENT | {"preshared-key-flags": "2", "peer2-preshared-key-flags": "0",
                                       "peer3-preshared-key-flags": "1",
                                       "peer4-preshared-key-flags": "4"},
                   secrets={"peer2-preshared-key": second})
    dialog.wait("password text", "Private key", "FOCUSED")
    assert not dialog.find("label", "*peer 2*") and not dialog.find("label", "*peer 4*")
    session.type(private)
    session.keys("Tab")
    session.type(first)
    assert "SENSITIVE" not in dialog.find("push button", "Connect")["states"]
    session.keys("Tab")
    dialog.wait("password text", "Preshared key of peer 3", "FOCUSED")
    session.type(third)
    dialog.wait("push button", "Connect", "SENSITIVE")
    session.keys("alt+o")
    assert dialog.answer() == ["private-key", private, "preshared-key", first,
                               "peer2-preshared-key", second, "peer3-preshared-key", third]
    assert dialog.end("QUIT\n")[0] == 0


@pytest.mark.parametrize("text, words", [
    ("c2hvcnQ=", "This is not a key: it has 8 characters"),
    ("!" * 44, "not base64 of 32 bytes"),
    ("A" * 43 + "=", "This key is all zeros"),
])
def test_what_is_no_key_is_said_beside_it(start, session, private, text, words):
    dialog = start("-i", data=AGENT)
    dialog.wait("password text", "Private key", "FOCUSED")
    session.type(text)
    dialog.wait("label", f"*{words}*")
    assert "SENSITIVE" not in dialog.find("push button", "Connect")["states"]
    session.keys("Return")  # does nothing
    session.keys("ctrl+a")
    session.type(f" {private} ")
    dialog.wait_until_gone("label", f"*{words}*")
    dialog.wait("push button", "Connect", "SENSITIVE")
    session.keys("Return")
    assert dialog.answer() == ["private-key", private]
    assert dialog.end("QUIT\n")[0] == 0


def test_stored_key_is_kept_but_not_shown(start, session, private):
    """After a failure the user may replace one key and leave the other."""
    psk, other = generate_psk(), generate_psk()
    dialog = start("-i", "-r", data=AGENT,
                   secrets={"private-key": private, "preshared-key": psk})
    dialog.wait("password text", "Private key", "FOCUSED")
    assert dialog.find("push button", "Connect")["states"].count("SENSITIVE") == 1
    shown = str(session.widgets("org.freedesktop.NetworkManager.culvert"))
    assert private not in shown and psk not in shown
    session.keys("Tab")
    session.type(other)
    session.keys("Return")
    assert dialog.answer() == ["private-key", private, "preshared-key", other]
    assert dialog.end("QUIT\n")[0] == 0


def test_hints(start, session, private):
    dialog = start("-i", "-t", "x-vpn-message:The gateway has a new key", "-t", "preshared-key",
                   secrets={"private-key": private, "preshared-key": generate_psk()})
    dialog.wait("password text", "Preshared key", "FOCUSED")
    assert dialog.find("label", "The gateway has a new key")
    assert not dialog.find("password text", "Private key")


def test_keys_are_hidden_until_told(start, session, private):
    """On the screen two keys look the same, unless shown."""
    dialog = start("-i", data=AGENT)
    pictures = {}
    for shown in (False, True):
        for key in (private, KeyPair.generate().private):
            dialog.wait("password text", "Private key")
            session.keys("alt+p")
            dialog.wait("password text", "Private key", "FOCUSED")
            session.keys("ctrl+a")
            session.type(key)
            session.keys("Tab")
            dialog.wait("check box", "Show keys", "FOCUSED")
            pictures.setdefault(shown, set()).add(session.picture())
        session.keys("space")
    assert len(pictures[False]) == 1
    assert len(pictures[True]) == 2


@pytest.mark.parametrize("how", ["Escape", "alt+c", "alt+F4"])
def test_user_cancels(start, session, how):
    dialog = start("-i", data=AGENT)
    dialog.wait("password text", "Private key", "FOCUSED")
    session.keys(how)
    assert dialog.process.wait(15) == 1
    status, output, complaint = dialog.end()
    assert (status, output) == (1, "") and "nm-culvert-auth-dialog: " not in complaint


@pytest.mark.parametrize("words", ["QUIT\n", ""], ids=["QUIT", "end of input"])
def test_agent_cancels(start, words):
    dialog = start("-i", data=AGENT)
    dialog.wait("password text", "Private key", "FOCUSED")
    assert dialog.end(words)[:2] == (1, "")


def test_no_window_where_none_is_wanted(start, session):
    """Neither without leave to ask, nor if the agent has a window: not even a display is needed."""
    for options in ([], ["--external-ui-mode", "-i"]):
        dialog = start(*options, data=AGENT, DISPLAY=":99")
        dialog.answer()
        assert dialog.end("QUIT\n")[0] == 0
    dialog = start("-i", data=AGENT, DISPLAY=":99")
    status, output, complaint = dialog.end()
    assert (status, output) == (1, "") and "there is no display" in complaint
