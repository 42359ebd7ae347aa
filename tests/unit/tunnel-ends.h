/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-ends.h: two CulvertTunnels in one process that speak over loopback, waiting for what they
 * tell, and packets in and out of their TUN devices. All of it in network and mount namespaces of
 * the process's own, so that nothing of the machine is touched.
 */
#pragma once

#include "run-ip.h"
#include "tunnel/tunnel-private.h"
#include "wait-until.h"

/* One side, and what its tunnel has told by signals: how often, and the last or first of it. */
typedef struct {
    CulvertTunnel *tunnel;
    WgKey private_key, public_key;
    guint handshakes, attempts, unresolved, unsent, moves, silent, failures, changes;
    char *last_error;
    char *last_endpoint;
    char *first_attempt;
} End;

/* Both listen, and are each other's only peer; neither knows where the other is. */
typedef struct {
    End a, b;
} Fixture;

/* What belongs behind either end, as its allowed IPs at the other. */
extern const WgPrefix net_a;
extern const WgPrefix net_b;

/* make_own_machine: enters the namespaces, in which loopback is up and has 198.51.100.1 and
 * 2001:db8::1 besides. No name server is there unless a test makes one, and the names half.example
 * and whole.example have two addresses each, of which one and both are there; gone.example has one
 * where nobody is. First of all in main(); needs root. */
void make_own_machine(void);

/* For g_test_add(). */
void set_up(Fixture *f, gconstpointer unused);
void tear_down(Fixture *f, gconstpointer unused);

/* end_init: makes the tunnel, which does not listen yet, and its keys. */
void end_init(End *end);
void end_clear(End *end);

/* add_peer: adds the other end to the peers of the first. `psk` may be NULL. */
void add_peer(End *end, const End *peer, const WgPrefix *allowed, const WgKey *psk);

/* dial: `from` looks for `to` at `host`, and at the port where it listens. */
void dial(End *from, const End *to, const char *host);

/* count: a handler for signals: adds one. */
void count(guint *counter);

/* ---- Devices and packets -------------------------------------------------------------------- */

/* attach: gives the end a device. Returns a socket that sends and receives whole IPv4 packets on
 * it, as the kernel's IP would; to be closed. */
int attach(End *end);

#define PACKET_SIZE 100

/* make_packet: an IPv4 packet between addresses of four bytes, filled with `filler`. */
void make_packet(guint8 packet[PACKET_SIZE], const guint8 *from, const guint8 *to, guint8 filler);

/* send_packet: into the device `tun`, with its socket. expect_packet: waits for the next packet out
 * of the socket's device, which must be this one. */
void send_packet(int fd, CulvertTun *tun, const guint8 packet[PACKET_SIZE]);
void expect_packet(int fd, const guint8 packet[PACKET_SIZE]);
