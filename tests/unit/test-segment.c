/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-segment.c: a packet with a virtio-net header becomes the packets it stands for, compared
 * with packets made one by one.
 */
#include "tun/culvert-segment.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "packets.h"

#define TCP_CWR 0x80

/* How much a caller may scribble on behind a segment: a tag less one. */
#define BEHIND 15

static const guint8 ip_options[] = {7, 7, 4, 0, 0, 0, 0, 0}; /* record route, padding */

/* Hop-by-hop options (padding only), then a routing header with no segments left, then
 * destination options; the last says what follows. */
static const guint8 tcp_extensions[] = {43, 0, 1, 4, 0, 0, 0, 0, 60, 0, 4, 0, 0, 0, 0, 0,
                                        6,  1, 1, 4, 0, 0, 0, 0, 1,  6, 0, 0, 0, 0, 0, 0};

/* The k-th of the packets that it stands for (RFC 9293, 3.8.1; RFC 3168, 6.1.2; the kernel's
 * tcp_gso_segment and inet_gso_segment). */
static GBytes *expected_segment(const Description *whole, guint16 gso_size, guint k)
{
    Description d = *whole;
    gsize at = (gsize) k * gso_size;

    d.payload += at;
    d.size = MIN(gso_size, whole->size - at);
    d.id = (guint16) (d.id + k);
    d.sequence += (guint32) at;
    if (k > 0)
        d.flags &= (guint8) ~TCP_CWR;
    if (at + d.size < whole->size)
        d.flags &= (guint8) ~(TH_FIN | TH_PUSH);
    return packets_build(&d);
}

static guint expected_count(gsize size, guint16 gso_size)
{
    return size == 0 ? 1 : (guint) ((size + gso_size - 1) / gso_size);
}

/* What a caller does: it copies the segment elsewhere, scribbling behind it for a while. */
static GBytes *take(CulvertSegmenter *s, const guint8 *packet, gsize len)
{
    guint8 *segment, saved[BEHIND];
    gsize n = culvert_segmenter_next(s, &segment), behind;
    GBytes *bytes;

    g_assert_cmpuint(n, >, 0);
    g_assert_true(segment >= packet && segment + n <= packet + len);
    behind = MIN(BEHIND, (gsize) (packet + len - segment) - n);
    memcpy(saved, segment + n, behind);
    memset(segment + n, 0xee, behind);
    bytes = g_bytes_new(segment, n);
    memcpy(segment + n, saved, behind);
    /* What is consumed is consumed. */
    memset(segment, 0xdd, n);
    return bytes;
}

static gboolean begin(CulvertSegmenter *s, const Description *d, const struct virtio_net_hdr *vnet,
                      guint8 *packet, gsize len)
{
    if (d->is_frame)
        return culvert_segmenter_begin_frame(s, vnet, packet, len);
    return culvert_segmenter_begin(s, vnet, packet, len);
}

static void check_segments_of(const Description *d, guint16 gso_size, struct virtio_net_hdr vnet)
{
    gsize len;
    g_autofree guint8 *packet = packets_without_checksum(d, &len);
    guint count = expected_count(d->size, gso_size);
    CulvertSegmenter s;
    guint8 *none;

    memset(&s, 0xa5, sizeof s); /* begin() relies on nothing */
    g_assert_true(begin(&s, d, &vnet, packet, len));
    for (guint k = 0; k < count; k++) {
        g_autoptr(GBytes) want = expected_segment(d, gso_size, k);
        g_autoptr(GBytes) got = NULL;

        g_assert_cmpuint(culvert_segmenter_count(&s), ==, count - k);
        got = take(&s, packet, len);
        packets_assert_equal(got, want);
    }
    g_assert_cmpuint(culvert_segmenter_count(&s), ==, 0);
    g_assert_cmpuint(culvert_segmenter_next(&s, &none), ==, 0);
    g_assert_cmpuint(culvert_segmenter_next(&s, &none), ==, 0);
}

/* The packet, and the frames with it, of which the header speaks as a TAP device's would. */
static void check_segments_as(const Description *d, guint16 gso_size, struct virtio_net_hdr vnet)
{
    check_segments_of(d, gso_size, vnet);
    for (guint8 n_tags = 0; n_tags <= 2; n_tags++) {
        Description frame = packets_as_frame(*d, n_tags);
        struct virtio_net_hdr in_frame = vnet;

        in_frame.hdr_len = (guint16) (vnet.hdr_len + packets_link(&frame));
        in_frame.csum_start = (guint16) (vnet.csum_start + packets_link(&frame));
        check_segments_of(&frame, gso_size, in_frame);
    }
}

static void check_segments(const Description *d, guint16 gso_size)
{
    check_segments_as(d, gso_size, packets_gso_header(d, gso_size));
}

/* ---- By example ----------------------------------------------------------------------------- */

static void test_kinds(void)
{
    static const gsize sizes[] = {0, 1, 999, 1000, 1001, 2000, 2999, 3000, 3001, 61000};

    for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
        Description cases[] = {packets_tcp4(sizes[i]), packets_as6(packets_tcp4(sizes[i])),
                               packets_udp4(sizes[i]), packets_as6(packets_udp4(sizes[i]))};

        for (guint k = 0; k < G_N_ELEMENTS(cases); k++)
            check_segments(&cases[k], 1000);
    }
}

/* Headers as long as they get; payload shorter than they are. */
static void test_headers(void)
{
    static const guint8 nops[40] = {1};
    Description d = packets_tcp4(300);

    d.ip_extra = ip_options;
    d.n_ip_extra = sizeof ip_options;
    check_segments(&d, 100);
    check_segments(&d, 7);
    check_segments(&d, 1);
    d.tcp_options = nops;
    d.n_tcp_options = sizeof nops;
    check_segments(&d, 7);
    d = packets_as6(packets_tcp4(3000));
    d.first_extra = 0;
    d.ip_extra = tcp_extensions;
    d.n_ip_extra = sizeof tcp_extensions;
    check_segments(&d, 1000);
    d.n_tcp_options = 0;
    check_segments(&d, 30);
}

static void test_flags(void)
{
    for (guint flags = 0; flags < 256; flags++) {
        Description d = packets_tcp4(2500);
        struct virtio_net_hdr vnet = packets_gso_header(&d, 1000);

        d.flags = (guint8) flags;
        d.urgent = (guint16) flags;
        if (flags & TCP_CWR)
            vnet.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
        check_segments_as(&d, 1000, vnet);
    }
}

/* What the header says of the headers does not matter. */
static void test_header_length_is_not_believed(void)
{
    static const guint16 lies[] = {0, 1, 14, 33, 39, 1052, 65535};

    for (guint i = 0; i < G_N_ELEMENTS(lies); i++) {
        Description d = packets_tcp4(2500);
        struct virtio_net_hdr vnet = packets_gso_header(&d, 1000);

        vnet.hdr_len = lies[i];
        check_segments_as(&d, 1000, vnet);
        vnet.csum_start = lies[i];
        vnet.csum_offset = lies[i];
        vnet.flags = 0;
        check_segments_as(&d, 1000, vnet);
    }
}

/* A checksum that comes out as zero: the last two bytes of payload make it so. */
static Description sums_to_zero(Description d, guint8 *payload)
{
    g_autoptr(GBytes) packet = NULL;
    gsize checksum = packets_transport(&d) + (d.protocol == IPPROTO_TCP ? 16 : 6);
    const guint8 *data;

    memset(payload, 0x11, d.size);
    memset(payload + d.size - 2, 0, 2);
    d.payload = payload;
    packet = packets_build(&d);
    data = g_bytes_get_data(packet, NULL);
    memcpy(payload + d.size - 2, data + checksum, 2);
    return d;
}

static void test_zero_checksum(void)
{
    guint8 payload[1000];
    Description plain[] = {packets_udp4(1000), packets_as6(packets_udp4(1000)), packets_tcp4(1000),
                           packets_as6(packets_tcp4(1000))};

    for (guint i = 0; i < G_N_ELEMENTS(plain); i++) {
        Description d = sums_to_zero(plain[i], payload);
        g_autoptr(GBytes) built = packets_build(&d);
        const guint8 *data = g_bytes_get_data(built, NULL);
        gsize at = packets_transport(&d) + (i < 2 ? 6 : 16);

        g_assert_cmphex(data[at], ==, i < 2 ? 0xff : 0);
        g_assert_cmphex(data[at + 1], ==, i < 2 ? 0xff : 0);
        check_segments(&d, 1000);
    }
}

static void check_plain_of(const Description *d, gboolean needs_checksum)
{
    struct virtio_net_hdr vnet = packets_gso_header(d, 0);
    g_autoptr(GBytes) want = packets_build(d), got = NULL;
    gsize len;
    g_autofree guint8 *packet = packets_without_checksum(d, &len);
    CulvertSegmenter s;

    vnet.gso_type = VIRTIO_NET_HDR_GSO_NONE;
    if (!needs_checksum) {
        vnet.flags = 0;
        memcpy(packet, g_bytes_get_data(want, NULL), len);
    }
    g_assert_true(begin(&s, d, &vnet, packet, len));
    g_assert_cmpuint(culvert_segmenter_count(&s), ==, 1);
    got = take(&s, packet, len);
    packets_assert_equal(got, want);
    g_assert_cmpuint(culvert_segmenter_count(&s), ==, 0);
}

static void check_plain(const Description *d, gboolean needs_checksum)
{
    check_plain_of(d, needs_checksum);
    for (guint8 n_tags = 0; n_tags <= 3; n_tags++) {
        Description frame = packets_as_frame(*d, n_tags);

        check_plain_of(&frame, needs_checksum);
    }
}

static void test_not_gso(void)
{
    guint8 payload[100];

    for (gsize size = 0; size < 200; size++) {
        Description cases[] = {packets_tcp4(size), packets_as6(packets_tcp4(size)),
                               packets_udp4(size), packets_as6(packets_udp4(size))};

        for (guint k = 0; k < G_N_ELEMENTS(cases); k++) {
            check_plain(&cases[k], TRUE);
            check_plain(&cases[k], FALSE);
        }
    }
    Description zero = sums_to_zero(packets_udp4(100), payload);
    check_plain(&zero, TRUE);
    zero = sums_to_zero(packets_as6(packets_udp4(100)), payload);
    check_plain(&zero, TRUE);
    /* "None" stays none. */
    zero = packets_udp4(100);
    zero.no_checksum = TRUE;
    check_plain(&zero, FALSE);
}

/* What is not IP, or no whole packet, is the next one's to judge. */
static void test_not_gso_is_not_parsed(void)
{
    guint8 odd[] = {0x12, 0x34}, *segment;
    struct virtio_net_hdr vnet = {0};
    CulvertSegmenter s;

    g_assert_true(culvert_segmenter_begin(&s, &vnet, odd, 1));
    g_assert_cmpuint(culvert_segmenter_next(&s, &segment), ==, 1);
    g_assert_true(segment == odd);
    g_assert_false(culvert_segmenter_begin(&s, &vnet, odd, 0));
    g_assert_cmpuint(culvert_segmenter_count(&s), ==, 0);
    g_assert_cmpuint(culvert_segmenter_next(&s, &segment), ==, 0);
}

/* ---- What does not fit ---------------------------------------------------------------------- */

static void check_dropped_of(const Description *d, struct virtio_net_hdr vnet, gsize len)
{
    gsize whole;
    g_autofree guint8 *packet = packets_without_checksum(d, &whole);
    g_autofree guint8 *exact = g_memdup2(packet, len);
    guint8 *segment;
    CulvertSegmenter s;

    g_assert_cmpuint(len, <=, whole);
    if (begin(&s, d, &vnet, exact, len))
        g_error("not dropped: type %u, size %u, %" G_GSIZE_FORMAT " bytes", vnet.gso_type,
                vnet.gso_size, len);
    g_assert_cmpuint(culvert_segmenter_count(&s), ==, 0);
    g_assert_cmpuint(culvert_segmenter_next(&s, &segment), ==, 0);
}

static void check_dropped_as(const Description *d, struct virtio_net_hdr vnet, gsize len)
{
    check_dropped_of(d, vnet, len);
    for (guint8 n_tags = 0; n_tags <= 2; n_tags++) {
        Description frame = packets_as_frame(*d, n_tags);

        check_dropped_of(&frame, vnet, packets_link(&frame) + len);
    }
}

static void check_dropped(const Description *d)
{
    check_dropped_as(d, packets_gso_header(d, 1000), packets_headers(d) + d->size);
}

static void test_wrong_type(void)
{
    Description cases[] = {packets_tcp4(2000), packets_as6(packets_tcp4(2000)), packets_udp4(2000),
                           packets_as6(packets_udp4(2000))};

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        struct virtio_net_hdr vnet = packets_gso_header(&cases[i], 1000);
        guint8 right = vnet.gso_type;

        for (guint type = 0; type < 256; type++) {
            guint8 plain = type & (guint8) ~VIRTIO_NET_HDR_GSO_ECN;

            if (type == VIRTIO_NET_HDR_GSO_NONE || plain == right)
                continue;
            vnet.gso_type = (guint8) type;
            check_dropped_as(&cases[i], vnet, packets_headers(&cases[i]) + 2000);
        }
        vnet = packets_gso_header(&cases[i], 0);
        check_dropped_as(&cases[i], vnet, packets_headers(&cases[i]) + 2000);
    }
}

static void test_fragments(void)
{
    Description d = packets_tcp4(2000);

    d.fragment = 0x2000;
    check_dropped(&d);
    d.fragment = 0x0001;
    check_dropped(&d);
    d.fragment = 0x1fff;
    check_dropped(&d);
    d.fragment = 0x8000; /* reserved: of no meaning */
    check_segments(&d, 1000);

    static const guint8 fragment6[] = {6, 0, 0, 1, 0, 0, 0, 9};
    static const guint8 routed[] = {6, 0, 4, 1, 0, 0, 0, 0};
    static const guint8 long_options[] = {6, 31, 1, 250};
    g_autofree guint8 *options = g_malloc0(256);

    d = packets_as6(packets_tcp4(2000));
    d.ip_extra = fragment6;
    d.n_ip_extra = sizeof fragment6;
    d.first_extra = IPPROTO_FRAGMENT;
    check_dropped(&d);
    /* a routing header with a segment left: whose checksum is it? */
    d.ip_extra = routed;
    d.first_extra = IPPROTO_ROUTING;
    check_dropped(&d);
    /* headers longer than there is room for */
    memcpy(options, long_options, sizeof long_options);
    d.ip_extra = options;
    d.n_ip_extra = 256;
    d.first_extra = IPPROTO_HOPOPTS;
    check_dropped(&d);
}

static void test_bad_lengths(void)
{
    Description d = packets_tcp4(2000);
    struct virtio_net_hdr vnet = packets_gso_header(&d, 1000);
    gsize len;
    CulvertSegmenter s;

    for (guint words = 0; words < 16; words++) {
        g_autofree guint8 *packet = packets_without_checksum(&d, &len);

        packet[0] = (guint8) (0x40 | words);
        if (words < 5)
            g_assert_false(culvert_segmenter_begin(&s, &vnet, packet, len));
        g_assert_false(culvert_segmenter_begin(&s, &vnet, packet, words * 4 + 19)); /* no TCP */
    }
    for (guint words = 0; words < 16; words++) {
        g_autofree guint8 *packet = packets_without_checksum(&d, &len);

        packet[20 + 12] = (guint8) (words << 4);
        g_assert_cmpint(culvert_segmenter_begin(&s, &vnet, packet, len), ==, words >= 5);
    }
}

/* A header cut anywhere. */
static void test_cut(void)
{
    Description cases[] = {packets_tcp4(2000), packets_as6(packets_tcp4(2000)), packets_udp4(2000),
                           packets_as6(packets_udp4(2000)), packets_as6(packets_tcp4(2000))};

    cases[4].ip_extra = tcp_extensions;
    cases[4].n_ip_extra = sizeof tcp_extensions;
    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        for (gsize len = 0; len < packets_headers(&cases[i]); len++)
            check_dropped_as(&cases[i], packets_gso_header(&cases[i], 1000), len);
    }
}

/* A checksum that would lie outside; one that just fits. */
static void test_checksum_outside(void)
{
    static const struct {
        guint16 start, offset;
        gboolean fits;
    } cases[] = {
        {0, 98, TRUE},   {98, 0, TRUE},     {50, 48, TRUE},    {0, 99, FALSE},
        {99, 0, FALSE},  {100, 0, FALSE},   {101, 0, FALSE},   {50, 49, FALSE},
        {50, 50, FALSE}, {65535, 0, FALSE}, {0, 65535, FALSE}, {65535, 65535, FALSE},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        g_autofree guint8 *packet = g_malloc0(100);
        CulvertSegmenter s;
        struct virtio_net_hdr vnet = {
            .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
            .csum_start = cases[i].start,
            .csum_offset = cases[i].offset,
        };

        g_assert_cmpint(culvert_segmenter_begin(&s, &vnet, packet, 100), ==, cases[i].fits);
        g_assert_cmpint(culvert_segmenter_begin_frame(&s, &vnet, packet, 100), ==, cases[i].fits);
    }
}

/* A segment must be able to say how long it is. */
static void check_too_long(const Description *small)
{
    gsize headers = packets_headers(small);
    g_autofree guint8 *packet = g_malloc0(headers + 65536);
    g_autoptr(GBytes) header = packets_build(small);
    struct virtio_net_hdr vnet =
        packets_gso_header(small, (guint16) (65535 + packets_link(small) - headers));
    CulvertSegmenter s;

    memcpy(packet, g_bytes_get_data(header, NULL), headers);
    g_assert_true(begin(&s, small, &vnet, packet, headers + 65536));
    vnet.gso_size++;
    g_assert_false(begin(&s, small, &vnet, packet, headers + 65536));
    vnet.gso_size = 1;
    g_assert_false(begin(&s, small, &vnet, packet, headers + 65536));
}

static void test_too_long(void)
{
    Description packet = packets_as6(packets_tcp4(0)), frame = packets_as_frame(packet, 2);

    check_too_long(&packet);
    check_too_long(&frame);
}

/* ---- Frames --------------------------------------------------------------------------------- */

/* The Ethernet header cut anywhere: no frame, or none with a packet in it. */
static void test_frame_cut(void)
{
    for (guint8 n_tags = 0; n_tags <= 2; n_tags++) {
        Description d = packets_as_frame(packets_tcp4(2000), n_tags);
        struct virtio_net_hdr vnet = packets_gso_header(&d, 1000);

        for (gsize len = 0; len <= packets_link(&d); len++)
            check_dropped_of(&d, vnet, len);
        memset(&vnet, 0, sizeof vnet);
        for (gsize len = 0; len < 14; len++)
            check_dropped_of(&d, vnet, len);
    }
}

/* Segments of what is not IP, or of the other IP, or behind one tag more. */
static void test_frame_type(void)
{
    for (guint kind = 0; kind < 6; kind++) {
        Description plain = kind % 2 == 0 ? packets_tcp4(2000) : packets_as6(packets_tcp4(2000));
        Description d = packets_as_frame(plain, (guint8) (kind / 2));
        struct virtio_net_hdr vnet = packets_gso_header(&d, 1000);
        guint right = plain.version == 4 ? 0x0800 : 0x86dd;
        gsize len;
        g_autofree guint8 *frame = packets_without_checksum(&d, &len);
        CulvertSegmenter s;

        for (guint type = 0; type <= 0xffff; type++) {
            frame[packets_link(&d) - 2] = (guint8) (type >> 8);
            frame[packets_link(&d) - 1] = (guint8) type;
            g_assert_cmpint(culvert_segmenter_begin_frame(&s, &vnet, frame, len), ==,
                            type == right);
        }
        d.n_tags = 3;
        check_dropped_of(&d, packets_gso_header(&d, 1000), packets_headers(&d) + 2000);
    }
}

/* All else is passed on: ARP, LLC with a length instead of a type, padding, no payload at all. */
static void test_frame_is_not_parsed(void)
{
    static const guint16 types[] = {0x0806, 0x0026, 0x0800, 0x86dd, 0x8100, 0x88a8, 0x88cc, 0};

    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        for (gsize len = 14; len < 64; len++) {
            g_autofree guint8 *frame = g_malloc(len), *before = NULL;
            struct virtio_net_hdr vnet = {0};
            CulvertSegmenter s;
            guint8 *segment;

            memset(frame, 0x81, len);
            frame[12] = (guint8) (types[i] >> 8);
            frame[13] = (guint8) types[i];
            before = g_memdup2(frame, len);
            g_assert_true(culvert_segmenter_begin_frame(&s, &vnet, frame, len));
            g_assert_cmpuint(culvert_segmenter_next(&s, &segment), ==, len);
            g_assert_true(segment == frame);
            g_assert_cmpmem(frame, len, before, len);
        }
    }
}

/* ---- At random ------------------------------------------------------------------------------ */

static Description any(GRand *rand, guint8 *payload)
{
    Description d = {
        .version = packets_pick(rand, 2) == 0 ? 4 : 6,
        .protocol = packets_pick(rand, 2) == 0 ? IPPROTO_TCP : IPPROTO_UDP,
        .tos = (guint8) g_rand_int(rand),
        .ttl = (guint8) g_rand_int(rand),
        .id = (guint16) g_rand_int(rand),
        .fragment = packets_pick(rand, 2) == 0 ? 0x4000 : 0,
        .label = g_rand_int(rand) & 0xfffff,
        .source = (guint8) g_rand_int(rand),
        .destination = (guint8) g_rand_int(rand),
        .source_port = (guint16) g_rand_int(rand),
        .destination_port = (guint16) g_rand_int(rand),
        .sequence = g_rand_int(rand),
        .acknowledgement = g_rand_int(rand),
        .flags = (guint8) g_rand_int(rand),
        .reserved = (guint8) packets_pick(rand, 16),
        .window = (guint16) g_rand_int(rand),
        .urgent = (guint16) g_rand_int(rand),
        .station = (guint8) g_rand_int(rand),
        .next_station = (guint8) g_rand_int(rand),
        .tags = {(guint16) g_rand_int(rand), (guint16) g_rand_int(rand)},
        .payload = payload,
        .size = packets_pick(rand, packets_pick(rand, 4) == 0 ? 60000 : 4000),
    };

    d.tcp_options = payload; /* any bytes will do */
    d.n_tcp_options = d.protocol == IPPROTO_TCP ? 4 * packets_pick(rand, 11) : 0;
    if (d.version == 4 && packets_pick(rand, 3) == 0) {
        d.ip_extra = payload + 50;
        d.n_ip_extra = 4 * packets_pick(rand, 11);
    } else if (d.version == 6 && d.protocol == IPPROTO_TCP && packets_pick(rand, 3) == 0) {
        d.ip_extra = tcp_extensions;
        d.n_ip_extra = sizeof tcp_extensions;
        d.first_extra = IPPROTO_HOPOPTS;
    }
    for (gsize i = 0; i < 100 + d.size; i++)
        payload[i] = (guint8) g_rand_int(rand);
    return d;
}

static void test_random(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(7323);
    g_autofree guint8 *payload = g_malloc(65536);

    for (guint round = 0; round < 2000; round++) {
        Description d = any(rand, payload);
        guint16 gso_size =
            (guint16) (1 + packets_pick(rand, packets_pick(rand, 3) == 0 ? 60000 : 1500));

        if (d.size / gso_size > 500)
            gso_size = 1448;
        if (packets_pick(rand, 8) == 0)
            check_plain(&d, packets_pick(rand, 2) == 0);
        else
            check_segments(&d, gso_size);
    }
}

static gsize garbage_link(GRand *rand, guint8 *frame)
{
    static const guint8 tag[] = {0x81, 0, 0x88, 0xa8};
    gsize at = 12;

    while (at < 12 + 3 * 4 && packets_pick(rand, 3) == 0) {
        memcpy(frame + at, tag + 2 * packets_pick(rand, 2), 2);
        at += 4;
    }
    return at + 2;
}

/* Bytes near enough to a packet, more often than not, to get far. */
static guint8 *garbage(GRand *rand, gsize len, gboolean is_frame)
{
    static const guint8 next[] = {0, 6, 17, 43, 44, 60};
    guint8 *all = g_malloc(len), *packet = all;

    for (gsize i = 0; i < len; i++)
        packet[i] = (guint8) g_rand_int(rand);
    if (is_frame && len > 26) {
        gsize link = garbage_link(rand, packet);

        packet += link;
        len -= link;
    }
    if (len <= 52 || packets_pick(rand, 8) == 0)
        return all;
    packet[0] = packets_pick(rand, 2) == 0 ? 0x60 : (guint8) (0x44 + packets_pick(rand, 4));
    packet[6] = packet[0] == 0x60 ? next[packets_pick(rand, 6)] : 0;
    packet[7] = 0;
    packet[9] = packets_pick(rand, 2) == 0 ? 6 : 17;
    packet[32] = (guint8) (packets_pick(rand, 16) << 4);
    packet[40] = next[packets_pick(rand, 6)];
    packet[41] = (guint8) packets_pick(rand, 8);
    packet[52] = (guint8) (packets_pick(rand, 16) << 4);
    if (is_frame) {
        packet[-2] = packet[0] == 0x60 ? 0x86 : 0x08;
        packet[-1] = packet[0] == 0x60 ? 0xdd : 0x00;
    }
    return all;
}

static struct virtio_net_hdr garbage_header(GRand *rand)
{
    static const guint8 types[] = {0, 1, 3, 4, 5, 0x81, 0x84, 0x85};

    return (struct virtio_net_hdr){
        .flags = (guint8) packets_pick(rand, 8),
        .gso_type =
            packets_pick(rand, 8) == 0 ? (guint8) g_rand_int(rand) : types[packets_pick(rand, 8)],
        .hdr_len = (guint16) g_rand_int(rand),
        .gso_size = (guint16) packets_pick(rand, 100),
        .csum_start = (guint16) packets_pick(rand, 150),
        .csum_offset = (guint16) packets_pick(rand, 100),
    };
}

/* Whatever the two say, nothing is read or written outside, and as many come out as announced. */
static void check_garbage(gboolean is_frame)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(1213);
    const Description kind = {.is_frame = is_frame};
    guint taken = 0;

    for (guint round = 0; round < 200000; round++) {
        gsize len = packets_pick(rand, 200), total = 0, n;
        g_autofree guint8 *packet = garbage(rand, len, is_frame);
        struct virtio_net_hdr vnet = garbage_header(rand);
        CulvertSegmenter s;
        guint8 *segment;
        guint count;

        if (!begin(&s, &kind, &vnet, packet, len))
            continue;
        count = culvert_segmenter_count(&s);
        for (; (n = culvert_segmenter_next(&s, &segment)) > 0; count--) {
            g_assert_true(segment >= packet && segment + n <= packet + len);
            total += n;
            taken++;
        }
        g_assert_cmpuint(count, ==, 0);
        g_assert_cmpuint(total, >=, len);
    }
    g_assert_cmpuint(taken, >, 10000);
}

static void test_garbage(void)
{
    check_garbage(FALSE);
    check_garbage(TRUE);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func("/segment/" name, func)
    ADD("kinds", test_kinds);
    ADD("headers", test_headers);
    ADD("flags", test_flags);
    ADD("header-length-is-not-believed", test_header_length_is_not_believed);
    ADD("zero-checksum", test_zero_checksum);
    ADD("not-gso", test_not_gso);
    ADD("not-gso-is-not-parsed", test_not_gso_is_not_parsed);
    ADD("dropped/wrong-type", test_wrong_type);
    ADD("dropped/fragments", test_fragments);
    ADD("dropped/bad-lengths", test_bad_lengths);
    ADD("dropped/cut", test_cut);
    ADD("dropped/checksum-outside", test_checksum_outside);
    ADD("dropped/too-long", test_too_long);
    ADD("frame/cut", test_frame_cut);
    ADD("frame/type", test_frame_type);
    ADD("frame/is-not-parsed", test_frame_is_not_parsed);
    ADD("random", test_random);
    ADD("garbage", test_garbage);
    return g_test_run();
}
