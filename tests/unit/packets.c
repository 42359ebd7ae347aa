/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packets.c: TCP and UDP packets for tests, made slowly.
 */
#include "packets.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

guint16 packets_checksum(const guint8 *data, gsize len)
{
    guint32 sum = 0;

    for (gsize i = 0; i < len; i++) {
        sum += i % 2 == 0 ? (guint32) data[i] << 8 : data[i];
        if (sum > 0xffff)
            sum -= 0xffff;
    }
    return (guint16) (0xffff - sum);
}

static void add8(GByteArray *out, guint value)
{
    guint8 byte = (guint8) value;

    g_byte_array_append(out, &byte, 1);
}

static void add16(GByteArray *out, guint value)
{
    add8(out, value >> 8);
    add8(out, value);
}

static void add32(GByteArray *out, guint32 value)
{
    add16(out, value >> 16);
    add16(out, value);
}

static void add_many(GByteArray *out, const guint8 *data, gsize len)
{
    if (len > 0)
        g_byte_array_append(out, data, (guint) len);
}

static void set16(GByteArray *out, gsize at, guint value)
{
    out->data[at] = (guint8) (value >> 8);
    out->data[at + 1] = (guint8) value;
}

static void add_address(GByteArray *out, guint version, guint8 last)
{
    if (version == 4) {
        add32(out, 0x0a000000 | last);
        return;
    }
    add32(out, 0xfd000000);
    add32(out, 0);
    add32(out, 0);
    add32(out, last);
}

static gsize ip_size(const Description *d)
{
    return (d->version == 4 ? 20 : 40) + d->n_ip_extra;
}

static gsize transport_size(const Description *d)
{
    return (d->protocol == IPPROTO_TCP ? 20 + d->n_tcp_options : 8) + d->size;
}

gsize packets_link(const Description *d)
{
    return d->is_frame ? 14 + 4 * (gsize) d->n_tags : 0;
}

gsize packets_transport(const Description *d)
{
    return packets_link(d) + ip_size(d);
}

gsize packets_headers(const Description *d)
{
    return packets_transport(d) + transport_size(d) - d->size;
}

/* IEEE 802.3, 3.1.1; 802.1Q, 9.3: two stations of the locally administered ones. */
static void add_link(GByteArray *out, const Description *d)
{
    add32(out, 0x02000000);
    add16(out, d->next_station);
    add32(out, 0x02000000);
    add16(out, d->station);
    for (guint i = 0; i < d->n_tags; i++) {
        add16(out, i + 1 < d->n_tags ? 0x88a8 : 0x8100);
        add16(out, d->tags[i]);
    }
    add16(out, d->version == 4 ? 0x0800 : 0x86dd);
}

static void add_ip4(GByteArray *out, const Description *d)
{
    gsize at = out->len;

    add8(out, 0x40 | (20 + d->n_ip_extra) / 4);
    add8(out, d->tos);
    add16(out, ip_size(d) + transport_size(d));
    add16(out, d->id);
    add16(out, d->fragment);
    add8(out, d->ttl);
    add8(out, d->protocol);
    add16(out, 0);
    add_address(out, 4, d->source);
    add_address(out, 4, d->destination);
    add_many(out, d->ip_extra, d->n_ip_extra);
    set16(out, at + 10, packets_checksum(out->data + at, out->len - at));
}

static void add_ip6(GByteArray *out, const Description *d)
{
    add32(out, 6u << 28 | (guint32) d->tos << 20 | d->label);
    add16(out, d->n_ip_extra + transport_size(d));
    add8(out, d->n_ip_extra > 0 ? d->first_extra : d->protocol);
    add8(out, d->ttl);
    add_address(out, 6, d->source);
    add_address(out, 6, d->destination);
    add_many(out, d->ip_extra, d->n_ip_extra);
}

static void add_tcp(GByteArray *out, const Description *d)
{
    add16(out, d->source_port);
    add16(out, d->destination_port);
    add32(out, d->sequence);
    add32(out, d->acknowledgement);
    add8(out, (20 + d->n_tcp_options) / 4 << 4 | d->reserved);
    add8(out, d->flags);
    add16(out, d->window);
    add16(out, 0);
    add16(out, d->urgent);
    add_many(out, d->tcp_options, d->n_tcp_options);
}

static void add_udp(GByteArray *out, const Description *d)
{
    add16(out, d->source_port);
    add16(out, d->destination_port);
    add16(out, 8 + d->size);
    add16(out, 0);
}

static GByteArray *pseudo_header(const Description *d)
{
    GByteArray *out = g_byte_array_new();

    add_address(out, d->version, d->source);
    add_address(out, d->version, d->destination);
    add32(out, transport_size(d));
    add32(out, d->protocol);
    return out;
}

guint16 packets_pseudo(const Description *d)
{
    g_autoptr(GByteArray) pseudo = pseudo_header(d);

    return (guint16) ~packets_checksum(pseudo->data, pseudo->len);
}

static guint16 transport_checksum(const Description *d, const guint8 *transport, gsize len)
{
    g_autoptr(GByteArray) all = pseudo_header(d);
    guint16 checksum;

    add_many(all, transport, len);
    checksum = packets_checksum(all->data, all->len);
    return checksum == 0 && d->protocol == IPPROTO_UDP ? 0xffff : checksum;
}

GBytes *packets_build(const Description *d)
{
    g_autoptr(GByteArray) out = g_byte_array_new();
    gsize transport = packets_transport(d);

    if (d->is_frame)
        add_link(out, d);
    if (d->version == 4)
        add_ip4(out, d);
    else
        add_ip6(out, d);
    if (d->protocol == IPPROTO_TCP)
        add_tcp(out, d);
    else
        add_udp(out, d);
    add_many(out, d->payload, d->size);
    if (!d->no_checksum || d->protocol != IPPROTO_UDP)
        set16(out, transport + (d->protocol == IPPROTO_TCP ? 16 : 6),
              transport_checksum(d, out->data + transport, out->len - transport));
    for (guint i = 0; d->is_frame && i < d->padding; i++)
        add8(out, 0x5a);
    return g_bytes_new(out->data, out->len);
}

/* ---- Examples ------------------------------------------------------------------------------- */

static const guint8 *some_payload(void)
{
    static guint8 payload[65536];

    for (guint i = 0; payload[1] == 0 && i < sizeof payload; i++)
        payload[i] = (guint8) (i * 193 + i / 256);
    return payload;
}

Description packets_tcp4(gsize size)
{
    static const guint8 timestamps[] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8};

    return (Description){
        .version = 4,
        .protocol = IPPROTO_TCP,
        .tos = 0x2a,
        .ttl = 64,
        .id = 0xfffe,
        .fragment = 0x4000,
        .source = 1,
        .destination = 2,
        .source_port = 1234,
        .destination_port = 443,
        .sequence = 0xfffffff0,
        .acknowledgement = 0x01020304,
        .flags = TH_ACK,
        .window = 501,
        .tcp_options = timestamps,
        .n_tcp_options = sizeof timestamps,
        .payload = some_payload(),
        .size = size,
        .station = 3,
        .next_station = 4,
        .tags = {0x600a, 0x0014, 0x001e}, /* priority 3 and VLAN 10, 20, 30 */
    };
}

Description packets_udp4(gsize size)
{
    Description d = packets_tcp4(size);

    d.protocol = IPPROTO_UDP;
    return d;
}

Description packets_as6(Description d)
{
    d.version = 6;
    d.label = 0xabcde;
    return d;
}

Description packets_as_frame(Description d, guint8 n_tags)
{
    d.is_frame = TRUE;
    d.n_tags = n_tags;
    return d;
}

struct virtio_net_hdr packets_gso_header(const Description *d, guint16 gso_size)
{
    return (struct virtio_net_hdr){
        .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
        .gso_type = d->protocol == IPPROTO_UDP ? VIRTIO_NET_HDR_GSO_UDP_L4
                    : d->version == 4          ? VIRTIO_NET_HDR_GSO_TCPV4
                                               : VIRTIO_NET_HDR_GSO_TCPV6,
        .hdr_len = (guint16) packets_headers(d),
        .gso_size = gso_size,
        .csum_start = (guint16) packets_transport(d),
        .csum_offset = d->protocol == IPPROTO_TCP ? 16 : 6,
    };
}

guint8 *packets_without_checksum(const Description *d, gsize *len)
{
    g_autoptr(GBytes) whole = packets_build(d);
    guint16 sum = packets_pseudo(d);
    guint8 *packet = g_memdup2(g_bytes_get_data(whole, len), g_bytes_get_size(whole));
    gsize at = packets_transport(d) + (d->protocol == IPPROTO_TCP ? 16 : 6);

    packet[at] = (guint8) (sum >> 8);
    packet[at + 1] = (guint8) sum;
    return packet;
}

guint packets_pick(GRand *rand, guint limit)
{
    return (guint) g_rand_int_range(rand, 0, (gint32) limit);
}

void packets_assert_equal(GBytes *a, GBytes *b)
{
    gsize len_a, len_b;
    const guint8 *data_a = g_bytes_get_data(a, &len_a), *data_b = g_bytes_get_data(b, &len_b);

    g_assert_cmpuint(len_a, ==, len_b);
    for (gsize i = 0; i < len_a; i++) {
        if (data_a[i] != data_b[i])
            g_error("byte %" G_GSIZE_FORMAT ": %02x, %02x expected", i, data_a[i], data_b[i]);
    }
}
