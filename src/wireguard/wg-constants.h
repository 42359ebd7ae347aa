/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-constants.h: every constant of the protocol, with its source.
 *
 * "paper" is Donenfeld, "WireGuard: Next Generation Kernel Network Tunnel", NDSS 2017. Times are
 * in microseconds, as everywhere in this folder.
 */
#pragma once

#include <glib.h>

/* Sizes of primitives: Curve25519 (RFC 7748), BLAKE2s (RFC 7693), ChaCha20-Poly1305 (RFC 8439),
 * XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03), TAI64N (https://cr.yp.to/libtai/tai64.html). */
#define WG_KEY_SIZE       32
#define WG_HASH_SIZE      32
#define WG_MAC_SIZE       16
#define WG_TAG_SIZE       16
#define WG_COOKIE_SIZE    16
#define WG_XNONCE_SIZE    24
#define WG_TIMESTAMP_SIZE 12

/* Message types, the first byte; three reserved zero bytes follow (paper 5.4). */
#define WG_TYPE_INITIATION   1
#define WG_TYPE_RESPONSE     2
#define WG_TYPE_COOKIE_REPLY 3
#define WG_TYPE_DATA         4

/* Message sizes: exact for the first three, the least for data (paper 5.4). */
#define WG_INITIATION_SIZE   148
#define WG_RESPONSE_SIZE     92
#define WG_COOKIE_REPLY_SIZE 64
#define WG_DATA_HEADER_SIZE  16
#define WG_DATA_OVERHEAD     (WG_DATA_HEADER_SIZE + WG_TAG_SIZE)
#define WG_KEEPALIVE_SIZE    WG_DATA_OVERHEAD

/* Plaintext is padded with zeros to a multiple of this (paper 5.4.6). */
#define WG_PADDING 16

/* The strings hashed into every handshake and MAC key (paper 5.4). */
#define WG_CONSTRUCTION "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
#define WG_IDENTIFIER   "WireGuard v1 zx2c4 Jason@zx2c4.com"
#define WG_LABEL_MAC1   "mac1----"
#define WG_LABEL_COOKIE "cookie--"

#define WG_SECOND ((gint64) G_USEC_PER_SEC)

/* The timers of paper 6.1. */
#define WG_REKEY_AFTER_TIME   (120 * WG_SECOND)
#define WG_REJECT_AFTER_TIME  (180 * WG_SECOND)
#define WG_REKEY_ATTEMPT_TIME (90 * WG_SECOND)
#define WG_REKEY_TIMEOUT      (5 * WG_SECOND)
#define WG_KEEPALIVE_TIMEOUT  (10 * WG_SECOND)
#define WG_COOKIE_SECRET_TIME (120 * WG_SECOND)

/* A cookie is used this much shorter than it is valid: it may have been old when it was sent, and
 * travels (drivers/net/wireguard/messages.h, COOKIE_SECRET_LATENCY). */
#define WG_COOKIE_LATENCY (5 * WG_SECOND)

/* Retransmissions are spread by up to a third of a second (paper 6.1, kernel: 334 ms). */
#define WG_REKEY_JITTER (334 * G_TIME_SPAN_MILLISECOND)

/* Retransmissions before giving up: the kernel's MAX_TIMER_HANDSHAKES. */
#define WG_MAX_RETRANSMISSIONS (WG_REKEY_ATTEMPT_TIME / WG_REKEY_TIMEOUT)

/* Message counts of paper 6.1; the kernel's value for REJECT, which leaves room for the window. */
#define WG_REKEY_AFTER_MESSAGES  (G_GUINT64_CONSTANT(1) << 60)
#define WG_REJECT_AFTER_MESSAGES (G_MAXUINT64 - WG_REPLAY_WINDOW - 1)

/* The replay window of RFC 6479: bits in the ring, and how far back a counter may lie (one word
 * of the ring is always being cleared). */
#define WG_REPLAY_BITS   8192
#define WG_REPLAY_WINDOW (WG_REPLAY_BITS - 64)

/* An initiation sooner than this after the last one from the same peer is a flood: kernel,
 * INITIATIONS_PER_SECOND 50. */
#define WG_INITIATION_INTERVAL (WG_SECOND / 50)

/* Packets kept for a peer while it has no session: kernel, MAX_STAGED_PACKETS. */
#define WG_MAX_STAGED_PACKETS 128

/* Handshake messages from one IPv4 address or IPv6 /64 under load: kernel, ratelimiter.c. */
#define WG_RATELIMIT_PER_SECOND  20
#define WG_RATELIMIT_BURST       5
#define WG_RATELIMIT_MAX_ENTRIES 65536

/* DS field of handshake messages: AF41, kernel HANDSHAKE_DSCP 0x88. */
#define WG_HANDSHAKE_TOS 0x88
