/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-segment.c: a virtio-net header and a packet, both from the input, and the same as a frame;
 * no segment lies outside the packet, as many come as are announced, and none of the payload is
 * lost.
 */
#include "fuzz.h"

#include <string.h>

#include "tun/culvert-segment.h"

typedef gboolean (*Begin)(CulvertSegmenter *s, const struct virtio_net_hdr *vnet, guint8 *packet,
                          gsize len);

static void take_apart(Begin begin, const guint8 *data, gsize size)
{
    struct virtio_net_hdr vnet;
    g_autofree guint8 *packet = NULL;
    CulvertSegmenter s;
    guint8 *segment;
    gsize len, n, total = 0;
    guint count;

    memcpy(&vnet, data, sizeof vnet);
    len = size - sizeof vnet;
    packet = g_malloc(len); /* of just the size, for tools to see what goes beyond */
    if (len > 0)
        memcpy(packet, data + sizeof vnet, len);
    if (!begin(&s, &vnet, packet, len))
        return;
    for (count = culvert_segmenter_count(&s); (n = culvert_segmenter_next(&s, &segment)) > 0;
         count--) {
        g_assert_true(segment >= packet && segment + n <= packet + len);
        total += n;
    }
    g_assert_cmpuint(count, ==, 0);
    g_assert_cmpuint(total, >=, len);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    if (size < sizeof(struct virtio_net_hdr))
        return 0;
    take_apart(culvert_segmenter_begin, data, size);
    take_apart(culvert_segmenter_begin_frame, data, size);
    return 0;
}
