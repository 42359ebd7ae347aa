/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * coalesced.c: a coalescer for tests, and what makes a difference to it.
 */
#include "coalesced.h"

#include <netinet/in.h>
#include <string.h>

static void written_free(Written *written)
{
    g_bytes_unref(written->packet);
    g_free(written);
}

static void collect(const CulvertWrite *write, gpointer user_data)
{
    g_autoptr(GByteArray) all = g_byte_array_new();
    Written *written = g_new0(Written, 1);

    g_assert_cmpuint(write->n_iov, ==, write->packets + 1);
    g_assert_cmpuint(write->iov[0].iov_len, ==, sizeof write->vnet);
    memcpy(&written->vnet, write->iov[0].iov_base, sizeof written->vnet);
    for (guint i = 1; i < write->n_iov; i++)
        g_byte_array_append(all, write->iov[i].iov_base, (guint) write->iov[i].iov_len);
    written->packet = g_bytes_new(all->data, all->len);
    written->packets = write->packets;
    g_ptr_array_add(user_data, written);
}

void recorder_init(Recorder *recorder, CulvertCoalesceKinds kinds)
{
    memset(&recorder->c, 0xa5, sizeof recorder->c); /* init() relies on nothing */
    recorder->memory = g_ptr_array_new_with_free_func(g_free);
    recorder->written = g_ptr_array_new_with_free_func((GDestroyNotify) written_free);
    culvert_coalescer_init(&recorder->c, kinds, collect, recorder->written);
}

void recorder_clear(Recorder *recorder)
{
    g_clear_pointer(&recorder->memory, g_ptr_array_unref);
    g_clear_pointer(&recorder->written, g_ptr_array_unref);
}

void recorder_add_bytes(Recorder *recorder, gboolean is_frame, const guint8 *data, gsize len)
{
    guint8 *memory = g_malloc(len);

    if (len > 0)
        memcpy(memory, data, len);
    g_ptr_array_add(recorder->memory, memory);
    if (is_frame)
        culvert_coalescer_add_frame(&recorder->c, memory, len);
    else
        culvert_coalescer_add(&recorder->c, memory, len);
}

void recorder_add(Recorder *recorder, const Description *d)
{
    g_autoptr(GBytes) bytes = packets_build(d);

    recorder_add_bytes(recorder, d->is_frame, g_bytes_get_data(bytes, NULL),
                       g_bytes_get_size(bytes));
}

const Written *recorder_written(const Recorder *recorder, guint i)
{
    g_assert_cmpuint(i, <, recorder->written->len);
    return g_ptr_array_index(recorder->written, i);
}

void written_assert_unchanged(const Written *written, const Description *d)
{
    static const struct virtio_net_hdr none;
    g_autoptr(GBytes) want = packets_build(d);

    g_assert_cmpuint(written->packets, ==, 1);
    g_assert_cmpmem(&written->vnet, sizeof written->vnet, &none, sizeof none);
    packets_assert_equal(written->packet, want);
}

void written_assert_whole(const Written *written, const Description *d, guint16 size, guint packets)
{
    struct virtio_net_hdr vnet = packets_gso_header(d, size);
    g_autoptr(GBytes) want = NULL;
    gsize len;
    guint8 *data = packets_without_checksum(d, &len);

    want = g_bytes_new_take(data, len);
    g_assert_cmpuint(written->packets, ==, packets);
    g_assert_cmpmem(&written->vnet, sizeof written->vnet, &vnet, sizeof vnet);
    packets_assert_equal(written->packet, want);
}

#define FIELD(field, bits, of)                                                                     \
    {                                                                                              \
        .name = #field, .offset = G_STRUCT_OFFSET(Description, field),                             \
        .width = sizeof(((Description *) NULL)->field), .change = bits, .kinds = of,               \
    }

const Difference differences[] = {
    FIELD(tos, 0x01, ALL),          FIELD(tos, 0x02, ALL),
    FIELD(tos, 0x80, ALL),          FIELD(ttl, 0x01, ALL),
    FIELD(id, 0x0002, IPV4),        FIELD(id, 0x8000, IPV4),
    FIELD(fragment, 0x4000, IPV4),  FIELD(fragment, 0x8000, IPV4),
    FIELD(label, 0x00001, IPV6),    FIELD(label, 0x80000, IPV6),
    FIELD(source, 1, ALL),          FIELD(destination, 1, ALL),
    FIELD(source_port, 1, ALL),     FIELD(destination_port, 0x100, ALL),
    FIELD(sequence, 1, TCP),        FIELD(sequence, 0x80000000, TCP),
    FIELD(acknowledgement, 1, TCP), FIELD(acknowledgement, 0x80000000, TCP),
    FIELD(flags, 0x01, TCP),        FIELD(flags, 0x02, TCP),
    FIELD(flags, 0x04, TCP),        FIELD(flags, 0x10, TCP),
    FIELD(flags, 0x20, TCP),        FIELD(flags, 0x40, TCP),
    FIELD(flags, 0x80, TCP),        FIELD(reserved, 1, TCP),
    FIELD(reserved, 8, TCP),        FIELD(window, 1, TCP),
    FIELD(urgent, 1, TCP),          FIELD(n_tcp_options, 4, TCP),
    FIELD(no_checksum, 1, UDP),     FIELD(station, 1, FRAMES),
    FIELD(next_station, 1, FRAMES), FIELD(n_tags, 1, ONE_TAG_OFF),
    FIELD(tags[0], 1, TAGGED),      FIELD(tags[0], 0x2000, TAGGED),
    FIELD(tags[1], 0x0800, TWICE),  FIELD(padding, 6, FRAMES),
};
const guint n_differences = G_N_ELEMENTS(differences);

void packets_flip(Description *d, guint difference)
{
    gpointer field = (guint8 *) d + differences[difference].offset;
    guint32 change = differences[difference].change;

    switch (differences[difference].width) {
    case 1:
        *(guint8 *) field ^= (guint8) change;
        break;
    case 2:
        *(guint16 *) field ^= (guint16) change;
        break;
    case sizeof(guint32):
        *(guint32 *) field ^= change;
        break;
    default:
        *(gsize *) field ^= change;
    }
}

Description packets_of_kind(guint kind, gsize size)
{
    Description d = IS(kind, UDP) ? packets_udp4(size) : packets_tcp4(size);

    if (IS(kind, IPV6))
        d = packets_as6(d);
    return IS(kind, FRAMES) ? packets_as_frame(d, (guint8) (kind / N_IP_KINDS - 1)) : d;
}
