/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-checksum.h: the Internet checksum of IP, TCP, UDP and ICMP (RFC 1071). Pure functions on
 * bytes; any thread.
 *
 * A sum is that of 16-bit words as they lie in memory, not yet folded. It does not matter which
 * byte of a word counts more as long as all of them agree (RFC 1071, 2 B), so nothing is swapped:
 * numbers go in with culvert_checksum_word() and the result goes back into memory as it is.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* culvert_checksum_add: `sum` and the `len` bytes at `data`, at any alignment. A last odd byte is
 * taken as if a zero followed: so only the last run of several may have an odd length. Sums of
 * up to 2^32 bytes cannot overflow. */
guint64 culvert_checksum_add(guint64 sum, const guint8 *data, gsize len);

/* culvert_checksum_word: what a number adds to a sum, in host byte order, were it in the packet. */
static inline guint64 culvert_checksum_word(guint16 number)
{
    return GUINT16_TO_BE(number);
}

/* culvert_checksum_pseudo: the sum of the pseudo header (RFC 9293, 3.1; RFC 8200, 8.1): the two
 * addresses in the IP header of `packet`, of the version it says, `protocol`, and the length of
 * what has the checksum. */
guint64 culvert_checksum_pseudo(const guint8 *packet, guint8 protocol, guint16 len);

/* culvert_checksum_fold: the checksum: the ones' complement of the sum, in the byte order of the
 * words in it: to be copied into the packet as it is, or a number in host byte order if only such
 * were added. It is zero over what has its own right checksum in it. */
guint16 culvert_checksum_fold(guint64 sum);

/* culvert_checksum_put: folds, and writes the checksum into a packet. */
void culvert_checksum_put(guint8 *at, guint64 sum);

G_END_DECLS
