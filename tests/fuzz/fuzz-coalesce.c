/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-coalesce.c: packets from the input, each after two bytes of its length, and the same as
 * frames: all are written, in one piece or as one of several, and what is put together can be taken
 * apart into as many.
 */
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

#include "tun/culvert-coalesce.h"
#include "tun/culvert-segment.h"

#define MAX_PACKETS 256

typedef struct {
    gboolean frames;
    guint packets; /* written */
} Written;

static void take_apart(const CulvertWrite *write, gpointer user_data)
{
    Written *written = user_data;
    g_autoptr(GByteArray) all = g_byte_array_new();
    CulvertSegmenter s;

    written->packets += write->packets;
    for (guint i = 1; i < write->n_iov; i++) {
        if (write->iov[i].iov_len > 0)
            g_byte_array_append(all, write->iov[i].iov_base, (guint) write->iov[i].iov_len);
    }
    if (all->len < (written->frames ? ETHERNET_HEADER_SIZE : 1))
        return;
    g_assert_true((written->frames ? culvert_segmenter_begin_frame : culvert_segmenter_begin)(
        &s, &write->vnet, all->data, all->len));
    g_assert_cmpuint(culvert_segmenter_count(&s), ==, write->packets);
}

static void put_together(gboolean frames, const guint8 *data, gsize size)
{
    g_autoptr(GPtrArray) memory = g_ptr_array_new_with_free_func(free);
    CulvertCoalescer c;
    Written written = {.frames = frames};

    culvert_coalescer_init(&c, CULVERT_COALESCE_TCP | CULVERT_COALESCE_UDP, take_apart, &written);
    while (size >= 2 && memory->len < MAX_PACKETS) {
        gsize len = MIN((gsize) (data[0] << 8 | data[1]), size - 2);
        /* Of just the size, for tools to see what goes beyond; g_malloc(0) would be NULL. */
        guint8 *packet = malloc(len);

        if (len > 0)
            memcpy(packet, data + 2, len);
        g_ptr_array_add(memory, packet);
        (frames ? culvert_coalescer_add_frame : culvert_coalescer_add)(&c, packet, len);
        data += 2 + len;
        size -= 2 + len;
    }
    culvert_coalescer_flush(&c);
    g_assert_cmpuint(written.packets, ==, memory->len);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    put_together(FALSE, data, size);
    put_together(TRUE, data, size);
    return 0;
}
