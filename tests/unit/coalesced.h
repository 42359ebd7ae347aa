/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coalesced.h: a coalescer for tests: it keeps the packets it is given and what it writes.
 */
#pragma once

#include "packets.h"
#include "tun/culvert-coalesce.h"

#define ANY_KIND (CULVERT_COALESCE_TCP | CULVERT_COALESCE_UDP)

typedef struct {
    struct virtio_net_hdr vnet;
    GBytes *packet;
    guint packets;
} Written;

/* A coalescer, the memory of the packets it was given, and what it wrote. */
typedef struct {
    CulvertCoalescer c;
    GPtrArray *memory;
    GPtrArray *written;
} Recorder;

void recorder_init(Recorder *recorder, CulvertCoalesceKinds kinds);
void recorder_clear(Recorder *recorder);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Recorder, recorder_clear)

/* recorder_add, recorder_add_bytes: adds a copy of the packet, or frame, in memory of just its
 * size. */
void recorder_add(Recorder *recorder, const Description *d);
void recorder_add_bytes(Recorder *recorder, gboolean is_frame, const guint8 *data, gsize len);

/* recorder_written: what was written as the i-th; there must be so much. */
const Written *recorder_written(const Recorder *recorder, guint i);

/* written_assert_unchanged: it is the packet as it was added. written_assert_whole: it is the
 * packet `d`, which stands for so many with so much payload, as the kernel would hand it over. */
void written_assert_unchanged(const Written *written, const Description *d);
void written_assert_whole(const Written *written, const Description *d, guint16 size,
                          guint packets);

/* The packets that can be put together: these, and the same in frames without a VLAN tag, with one
 * and with two. */
enum {
    TCP4,
    TCP6,
    UDP4,
    UDP6,
    N_IP_KINDS,
    N_KINDS = 4 * N_IP_KINDS,
};

/* packets_of_kind: an example with so much payload. */
Description packets_of_kind(guint kind, gsize size);

/* ---- What makes a difference ---------------------------------------------------------------- */

#define OF(kind)    (0x1111u << (kind)) /* also in frames */
#define TCP         (OF(TCP4) | OF(TCP6))
#define UDP         (OF(UDP4) | OF(UDP6))
#define IPV4        (OF(TCP4) | OF(UDP4))
#define IPV6        (OF(TCP6) | OF(UDP6))
#define ALL         (TCP | UDP)
#define FRAMES      0xfff0u
#define TAGGED      0xff00u
#define TWICE       0xf000u
#define ONE_TAG_OFF (FRAMES & ~TWICE) /* one tag more or less makes another of these */

#define IS(kind, kinds) (((kinds) &1u << (kind)) != 0)

/* A field of a description, and a change to it. */
typedef struct {
    const char *name;
    gsize offset, width;
    guint32 change; /* bits */
    guint kinds;    /* of those for which it makes a difference */
} Difference;

extern const Difference differences[];
extern const guint n_differences;

/* packets_flip: makes the i-th change; twice, and all is as it was. */
void packets_flip(Description *d, guint i);
