/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-vxlan.c: a packet from a peer: what is taken for a frame lies in the packet, and comes out
 * again if it is wrapped. IPv4 to 10.0.0.2, or IPv6 to ::2, network 1. Checksums are made right, or
 * damaged input would never get beyond them.
 */
#include "fuzz.h"

#include <netinet/in.h>
#include <string.h>

#include "tun/culvert-vxlan.h"
#include "tun/culvert-checksum.h"

#define VNI 1

static const CulvertVtep ends[] = {{AF_INET, {10, 0, 0, 2}}, {AF_INET6, {[15] = 2}}};

static void wrap_again(const CulvertVtep *from, const CulvertVtep *to, const guint8 *data,
                       gsize len)
{
    g_autofree guint8 *memory = g_malloc(CULVERT_VXLAN_HEADER_MAX + len);
    guint8 *frame = memory + CULVERT_VXLAN_HEADER_MAX, *found;
    CulvertVtep source;
    CulvertVxlan v;
    gsize headers, found_len;

    memcpy(frame, data, len);
    culvert_vxlan_begin(&v, VNI, from, to, frame, len, 0);
    headers = culvert_vxlan_wrap(&v, frame, len);
    g_assert_true(
        culvert_vxlan_unwrap(VNI, to, frame - headers, headers + len, &source, &found, &found_len));
    g_assert_true(culvert_vtep_equal(&source, from));
    g_assert_cmpmem(found, found_len, data, len);
}

static void mend(guint8 *packet, gsize size)
{
    gsize header = size >= 20 ? (gsize) (packet[0] & 15) * 4 : 0;

    if (size >= 48 && packet[0] >> 4 == 6) {
        guint16 len = (guint16) (size - 40);

        memset(packet + 46, 0, 2);
        culvert_checksum_put(packet + 46,
                             culvert_checksum_add(culvert_checksum_pseudo(packet, IPPROTO_UDP, len),
                                                  packet + 40, len));
    } else if (header >= 20 && header <= size) {
        memset(packet + 10, 0, 2);
        culvert_checksum_put(packet + 10, culvert_checksum_add(0, packet, header));
    }
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    for (guint i = 0; i < G_N_ELEMENTS(ends); i++) {
        /* of just the size, for tools to see what goes beyond */
        g_autofree guint8 *packet = g_memdup2(data, size);
        CulvertVtep source;
        guint8 *frame;
        gsize len;

        mend(packet, size);
        if (!culvert_vxlan_unwrap(VNI, &ends[i], packet, size, &source, &frame, &len))
            continue;
        g_assert_cmpuint(len, >=, ETHERNET_HEADER_SIZE);
        g_assert_true(frame > packet && frame + len <= packet + size);
        if (len <= G_MAXUINT16 - CULVERT_VXLAN_HEADER_MAX)
            wrap_again(&ends[i], &source, frame, len);
    }
    return 0;
}
