# SPDX-License-Identifier: LGPL-2.1-or-later
"""The configuration socket, byte by byte: what a well-made request gets, what a bad one gets, and
that no client keeps another, or the packets, waiting."""

import contextlib
import os
import socket
import stat
import threading
import time

import pytest

from lab import wait_for

KEY_A, KEY_B = "11" * 32, "22" * 32
PEER = f"public_key={KEY_A}\n"
LINE_MAX = 512  # uapi-request.h, UAPI_LINE_MAX
CLIENTS_MAX = 64  # culvert-uapi.c


def fields(answer):
    return [line.split("=")[0] for line in answer.splitlines()]


# ---- What is answered

def test_get_in_the_documented_order(culvert):
    culvert.request(f"set=1\nlisten_port=7\nfwmark=9\n{PEER}preshared_key={KEY_B}\n"
                    "endpoint=[fe80::1%1]:5\npersistent_keepalive_interval=25\n"
                    "allowed_ip=10.0.0.0/8\nallowed_ip=fd00::/64\n\n")
    answer = culvert.request("get=1\n\n")
    assert fields(answer) == [
        "private_key", "listen_port", "fwmark", "public_key", "preshared_key", "protocol_version",
        "endpoint", "last_handshake_time_sec", "last_handshake_time_nsec", "tx_bytes", "rx_bytes",
        "persistent_keepalive_interval", "allowed_ip", "allowed_ip", "errno", ""]
    assert answer.endswith("\nerrno=0\n\n")
    for line in (f"public_key={KEY_A}", f"preshared_key={KEY_B}", "endpoint=[fe80::1%1]:5",
                 "fwmark=9", "allowed_ip=fd00::/64", "protocol_version=1"):
        assert f"\n{line}\n" in answer


def test_get_says_nothing_of_what_is_not_set(culvert):
    culvert.request(f"set=1\nprivate_key={'0' * 64}\n{PEER}\n")
    answer = culvert.request("get=1\n\n")
    assert not {"private_key", "fwmark", "endpoint", "allowed_ip"} & set(fields(answer))


def test_several_requests_on_one_connection(culvert):
    answer = culvert.request(f"set=1\nfwmark=5\n\nget=1\n\nset=1\nfwmark=x\n\n"
                             f"set=1\n{PEER}\nget=1\n\n")
    parts = answer.split("\n\n")
    assert parts[0] == "errno=0" and parts[2] == "errno=-22" and parts[3] == "errno=0"
    assert "fwmark=5" in parts[1] and KEY_A not in parts[1]
    assert "fwmark=5" in parts[4] and KEY_A in parts[4]


@pytest.mark.parametrize("bad, number", [
    ("listen_port=http", 22), ("listen_port=65536", 22), ("fwmark=-1", 22), ("fwmark=", 22),
    ("private_key=abc", 22), ("unknown=1", 22), ("replace_peers=false", 22), ("nonsense", 71),
    (PEER + "endpoint=name.example:1", 22), (PEER + "allowed_ip=10.0.0.0/33", 22),
    (PEER + "persistent_keepalive_interval=off", 22), (PEER + "protocol_version=2", 93),
    (PEER + "listen_port=1", 22), ("allowed_ip=10.0.0.0/8", 22)])
def test_all_or_nothing(culvert, bad, number):
    """A bad line anywhere, and nothing of the request happens. The log names the line."""
    culvert.set("listen-port", "7", "fwmark", "8", "peer", "A" * 43 + "=")
    before = culvert.dump()
    head = f"set=1\nprivate_key={KEY_B}\nlisten_port=9\nfwmark=10\nreplace_peers=true\n"
    line = 5 + bad.count("\n") + 1
    answer = culvert.request(f"{head}{bad}\npublic_key={KEY_B}\nallowed_ip=::/0\n\n")
    assert answer == f"errno=-{number}\n\n"
    assert culvert.dump() == before
    assert f"line {line}: " in culvert.log()


@pytest.mark.parametrize("data", [
    b"", b"\n", b"set=1\n", b"set=1\nfwmark=9", b"set=1\nfwmark=9\n", b"get=1\n", b"get=2\n\n",
    b"GET / HTTP/1.1\r\n\r\n", b"set=1\r\n\r\n", b"\0", b"set=1\nfwmark=9\0\n\n",
    b"set=1\n" + b"a" * (LINE_MAX + 1), b"set=1\n" + b"a" * (LINE_MAX + 1) + b"\n\n",
    b"a" * 1000000, b"\xff" * 5000],
    ids=["nothing", "empty-line", "half", "half-line", "line", "get", "get-2", "http", "crlf",
         "nul", "nul-in-line", "long-line", "long-line-ended", "endless-line", "binary"])
def test_no_request_is_no_answer(culvert, data):
    before = culvert.dump()
    try:
        assert culvert.request(data) == ""
    except ConnectionError:
        pass  # it hung up before all was sent
    assert culvert.dump() == before


def test_for_root_alone(host, culvert):
    path = f"/proc/{host.pid}/root{culvert.socket_path}"
    assert stat.S_IMODE(os.stat(path).st_mode) == 0o700
    assert stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode) == 0o755
    assert os.stat(path).st_uid == 0


# ---- Nothing hangs

@pytest.fixture
def crowd(culvert):
    """Connections of all kinds that will never amount to a request."""
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(culvert.connect())


@pytest.mark.parametrize("said", [b"", b"get=1\n", b"set=1\nfwmark=9\nlisten_po"],
                         ids=["silent", "no-end", "half-line"])
def test_clients_that_wait_do_not_keep_others_waiting(culvert, crowd, said):
    for _ in range(3 * CLIENTS_MAX):
        client = crowd()
        with contextlib.suppress(ConnectionError):
            client.sendall(said)
    start = time.monotonic()
    interface, _peers = culvert.dump()
    assert time.monotonic() - start < 2 and interface[3] == "off"


def test_a_slow_client_is_served(culvert, crowd):
    slow = crowd()
    for byte in b"set=1\nfwmark=9\n\n":
        slow.sendall(bytes([byte]))
    assert slow.recv(100) == b"errno=0\n\n"


def test_a_client_that_does_not_listen(culvert, crowd):
    """Answers that nobody fetches pile up for that client alone."""
    peers = "".join(f"public_key={i:064x}\nallowed_ip=10.0.{i // 256}.{i % 256}/32\n"
                    for i in range(1, 2001))
    assert culvert.request(f"set=1\n{peers}\n") == "errno=0\n\n"
    deaf = crowd()
    deaf.sendall(b"get=1\n\n" * 100)
    assert len(culvert.dump()[1]) == 2000
    answer = culvert.request("get=1\n\n")
    assert answer.count("public_key=") == 2000
    # It gets all of them if it listens after all.
    deaf.shutdown(socket.SHUT_WR)
    total = b"".join(iter(lambda: deaf.recv(1 << 20), b""))
    assert total.count(b"errno=0\n\n") == 100


def test_many_clients_at_once(culvert):
    """Each gets its own answer, while the settings change under them."""
    failures = []

    def ask(number):
        try:
            for round_ in range(10):
                key = f"{number:032x}{round_:032x}"
                assert culvert.request(f"set=1\npublic_key={key}\nallowed_ip=10.0.0.{number}/32\n\n"
                                       ) == "errno=0\n\n"
                assert culvert.request("get=1\n\n").endswith("errno=0\n\n")
                assert culvert.request(f"set=1\npublic_key={key}\nremove=true\n\n"
                                       ) == "errno=0\n\n"
        except Exception as fault:  # a thread's own would be lost
            failures.append(fault)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert culvert.dump()[1] == {}


def test_packets_flow_whatever_clients_do(pair):
    """Pings while clients connect, hang up, send rubbish, and set and show thousands of peers."""
    assert pair.ping()
    ping = pair.left.host.spawn("ping", "-i", 0.01, "-c", "300", "10.8.0.2", log="pings")
    peers = "".join(f"public_key={i:064x}\nallowed_ip=10.9.{i // 256}.{i % 256}/32\n"
                    for i in range(1, 3001))
    while ping.poll() is None:
        for data in (b"", b"set=1\n", b"x" * 100000, b"get=1\n\n", b"set=1\n" + b"y=1\n" * 1000):
            with contextlib.suppress(ConnectionError):
                pair.left.request(data)
        assert pair.left.request(f"set=1\n{peers}\n") == "errno=0\n\n"
        gone = peers.replace("allowed_ip=10.9.", "remove=true\nallowed_ip=10.9.")
        assert pair.left.request(f"set=1\n{gone}\n") == "errno=0\n\n"
    wait_for(lambda: " received" in pair.left.host.log("pings"), "ping to end")
    assert " 0% packet loss" in pair.left.host.log("pings"), pair.left.host.log("pings")[-300:]
