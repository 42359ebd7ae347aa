/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-vxlan.c: the headers of VXLAN byte by byte, with checksums that packets.c computes; what is
 * refused; and random frames there and back.
 */
#include "tun/culvert-vxlan.h"

#include <netinet/in.h>
#include <string.h>

#include "packets.h"
#include "test-hex.h"

#define VNI 0x123456

/* To 02:00:00:00:00:02 from 02:00:00:00:00:01; 10.1.0.1 to 10.1.0.2, UDP port 4660 to 22136, 8
 * bytes; not checked here: their checksums. */
#define LINK "020000000002 020000000001"
#define IPV4(tos)                                                                                  \
    "45" tos "0024 0001 0000 4011 0000 0a010001 0a010002 1234 5678 0010 0000 0102030405060708"
#define IPV6(class)                                                                                \
    "6" class "00000 0010 1140 fd000000000000000000000000000001 fd000000000000000000000000000002"  \
              "1234 5678 0010 0000 0102030405060708"

#define FRAME4 LINK "0800" IPV4("00")
#define FRAME6 LINK "86dd" IPV6("00")
#define ARP    LINK "0806 0001080006040001 020000000001 0a010001 000000000000 0a010002"

static const CulvertVtep ends4[] = {{AF_INET, {10, 8, 0, 1}}, {AF_INET, {10, 8, 0, 2}}};
static const CulvertVtep ends6[] = {{AF_INET6, {0xfd, 8, [15] = 1}},
                                    {AF_INET6, {0xfd, 8, [15] = 2}}};

typedef struct {
    guint8 *memory; /* of just the size */
    guint8 *packet;
    gsize len;
} Wrapped;

static void wrapped_clear(Wrapped *w)
{
    g_free(w->memory);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Wrapped, wrapped_clear)

static Wrapped wrap_bytes(const CulvertVtep *ends, const guint8 *frame, gsize len, guint16 id)
{
    gsize headers =
        ends[0].family == AF_INET ? CULVERT_VXLAN_HEADER_IPV4 : CULVERT_VXLAN_HEADER_IPV6;
    Wrapped w = {.memory = g_malloc(headers + len), .len = headers + len};
    CulvertVxlan v;

    memcpy(w.memory + headers, frame, len);
    culvert_vxlan_begin(&v, VNI, &ends[0], &ends[1], w.memory + headers, len, id);
    g_assert_cmpuint(v.size, ==, headers);
    g_assert_cmpuint(culvert_vxlan_wrap(&v, w.memory + headers, len), ==, headers);
    w.packet = w.memory;
    return w;
}

static Wrapped wrap(const CulvertVtep *ends, const char *hex)
{
    gsize len;
    g_autofree guint8 *frame = unhex_alloc(hex, &len);

    return wrap_bytes(ends, frame, len, 0x4711);
}

static gboolean unwrap(const CulvertVtep *ends, Wrapped *w, guint8 **frame, gsize *len)
{
    CulvertVtep source;
    gboolean taken = culvert_vxlan_unwrap(VNI, &ends[1], w->packet, w->len, &source, frame, len);

    if (taken) {
        g_assert_true(culvert_vtep_equal(&source, &ends[0]));
        g_assert_true(*frame >= w->packet && *frame + *len <= w->packet + w->len);
    }
    return taken;
}

static gboolean is_taken(const CulvertVtep *ends, Wrapped *w)
{
    guint8 *frame;
    gsize len;

    return unwrap(ends, w, &frame, &len);
}

static guint16 get16(const guint8 *p)
{
    return (guint16) (p[0] << 8 | p[1]);
}

static void put16(guint8 *p, guint value)
{
    p[0] = (guint8) (value >> 8);
    p[1] = (guint8) value;
}

/* After a change to an IPv4 packet. */
static void mend(Wrapped *w)
{
    put16(w->packet + 10, 0);
    put16(w->packet + 10, packets_checksum(w->packet, (gsize) (w->packet[0] & 15) * 4));
}

/* Over the pseudo header as well; 0 if it is right. Independent of culvert-checksum.c. */
static guint16 udp_sum6(const Wrapped *w)
{
    gsize len = w->len - 40;
    g_autofree guint8 *all = g_malloc0(40 + len);

    memcpy(all, w->packet + 8, 32);
    put16(all + 34, (guint) len);
    all[39] = 17;
    memcpy(all + 40, w->packet + 40, len);
    return packets_checksum(all, 40 + len);
}

/* ---- Out ------------------------------------------------------------------------------------ */

/* RFC 791, RFC 768 and RFC 7348, 5. */
static void test_ipv4(void)
{
    g_auto(Wrapped) w = wrap(ends4, FRAME4);
    gsize len, n_expected;
    g_autofree guint8 *frame = unhex_alloc(FRAME4, &len);
    g_autofree guint8 *expected = unhex_alloc("4500 0056 4711 0000 4011 0000 0a080001 0a080002"
                                              "0000 12b5 0042 0000 08000000 12345600",
                                              &n_expected);

    g_assert_cmpuint(packets_checksum(w.packet, 20), ==, 0);
    memcpy(expected + 10, w.packet + 10, 2); /* that checksum */
    g_assert_cmpuint(get16(w.packet + 20), >=, 49152);
    memcpy(expected + 20, w.packet + 20, 2); /* the port, a hash */
    g_assert_cmpmem(w.packet, 36, expected, n_expected);
    g_assert_cmpmem(w.packet + 36, w.len - 36, frame, len);
}

static void test_ipv6(void)
{
    g_auto(Wrapped) w = wrap(ends6, FRAME4);
    gsize len, n_expected;
    g_autofree guint8 *frame = unhex_alloc(FRAME4, &len);
    g_autofree guint8 *expected =
        unhex_alloc("6000 0000 0042 1140 fd080000000000000000000000000001"
                    "fd080000000000000000000000000002 0000 12b5 0042 0000 08000000 12345600",
                    &n_expected);

    g_assert_cmpuint(get16(w.packet + 46), !=, 0);
    g_assert_cmpuint(udp_sum6(&w), ==, 0);
    memcpy(expected + 46, w.packet + 46, 2);
    g_assert_cmpuint(get16(w.packet + 40), >=, 49152);
    memcpy(expected + 40, w.packet + 40, 2);
    g_assert_cmpmem(w.packet, 56, expected, n_expected);
    g_assert_cmpmem(w.packet + 56, w.len - 56, frame, len);
}

/* What is looked at before there is a frame to be sent is a valid packet. */
static void test_prepared(void)
{
    for (guint i = 0; i < 2; i++) {
        const CulvertVtep *ends = i == 0 ? ends4 : ends6;
        gsize len;
        g_autofree guint8 *frame = unhex_alloc(FRAME4, &len);
        CulvertVxlan v;

        culvert_vxlan_begin(&v, VNI, &ends[0], &ends[1], frame, len, 0);
        g_assert_cmpuint(v.header[0] >> 4, ==, i == 0 ? 4 : 6);
        g_assert_cmpuint(i == 0 ? get16(v.header + 2) : 40 + get16(v.header + 4), ==, v.size);
    }
}

/* IPv4's ID tells packets apart, should they be fragmented after the tunnel (RFC 6864, 4.3). */
static void test_ids(void)
{
    guint8 memory[CULVERT_VXLAN_HEADER_MAX + 60] = {0};
    guint8 *frame = memory + CULVERT_VXLAN_HEADER_MAX;
    CulvertVxlan v;

    culvert_vxlan_begin(&v, VNI, &ends4[0], &ends4[1], frame, 60, 0xffff);
    for (guint i = 0; i < 3; i++) {
        culvert_vxlan_wrap(&v, frame, 60 - i);
        g_assert_cmpuint(get16(frame - 36 + 4), ==, (guint16) (0xffff + i));
        g_assert_cmpuint(get16(frame - 36 + 2), ==, 96 - i);
        g_assert_cmpuint(packets_checksum(frame - 36, 20), ==, 0);
    }
}

/* A sum of zero is written as its other form, since zero would mean that there is none. */
static void test_zero_checksum(void)
{
    g_auto(Wrapped) w = wrap(ends6, ARP);
    gsize len = w.len - 56;
    g_autofree guint8 *frame = g_memdup2(w.packet + 56, len);

    /* The last word makes up for all others; it is in no flow's hash. */
    put16(frame + len - 2, (guint) (get16(frame + len - 2) + get16(w.packet + 46)) % 0xffff);
    g_auto(Wrapped) zero = wrap_bytes(ends6, frame, len, 0);
    g_assert_cmphex(get16(zero.packet + 46), ==, 0xffff);
    g_assert_cmpuint(udp_sum6(&zero), ==, 0);
    g_assert_true(is_taken(ends6, &zero));
}

/* ---- The source port ------------------------------------------------------------------------ */

static guint16 port_of(const char *hex)
{
    g_auto(Wrapped) w = wrap(ends4, hex);
    guint16 port = get16(w.packet + 20);

    g_assert_cmpuint(port, >=, 49152);
    return port;
}

static guint16 port_with(const char *hex, gsize at, guint8 value)
{
    gsize len;
    g_autofree guint8 *frame = unhex_alloc(hex, &len);

    frame[at] = value;
    g_auto(Wrapped) w = wrap_bytes(ends4, frame, len, 0);
    return get16(w.packet + 20);
}

static void test_flows(void)
{
    static const guint same4[] = {14 + 1, 14 + 3, 14 + 5, 14 + 8, 14 + 25, 14 + 30};
    static const guint other4[] = {0, 6, 14 + 12, 14 + 19, 14 + 20, 14 + 23};
    static const guint same6[] = {14 + 5, 14 + 7, 14 + 46, 14 + 50};
    static const guint other6[] = {5, 11, 14 + 8, 14 + 39, 14 + 41, 14 + 42};

    for (guint i = 0; i < G_N_ELEMENTS(same4); i++)
        g_assert_cmpuint(port_with(FRAME4, same4[i], 0x77), ==, port_of(FRAME4));
    for (guint i = 0; i < G_N_ELEMENTS(other4); i++)
        g_assert_cmpuint(port_with(FRAME4, other4[i], 0x76), !=, port_of(FRAME4));
    for (guint i = 0; i < G_N_ELEMENTS(same6); i++)
        g_assert_cmpuint(port_with(FRAME6, same6[i], 0x77), ==, port_of(FRAME6));
    for (guint i = 0; i < G_N_ELEMENTS(other6); i++)
        g_assert_cmpuint(port_with(FRAME6, other6[i], 0x76), !=, port_of(FRAME6));
}

/* The first fragment of a datagram takes the way of the others, which have no ports. */
static void test_fragments_are_one_flow(void)
{
    g_assert_cmpuint(port_of(LINK "0800 45000024 0001 2000 4011 0000 0a010001 0a010002"
                                  "1234 5678 0010 0000 0102030405060708"),
                     ==,
                     port_of(LINK "0800 45000024 0001 0002 4011 0000 0a010001 0a010002"
                                  "9999 9999 9999 9999 9999999999999999"));
}

/* ---- ECN ------------------------------------------------------------------------------------ */

static const char *const by_ecn[2][4] = {
    {LINK "8100 000a 0800" IPV4("00"), LINK "0800" IPV4("01"), LINK "0800" IPV4("02"),
     LINK "88a8 0001 8100 000a 0800" IPV4("03")},
    {LINK "86dd" IPV6("00"), LINK "86dd" IPV6("01"), LINK "86dd" IPV6("02"),
     LINK "86dd" IPV6("03")},
};

static guint ecn_of(const guint8 *packet)
{
    return packet[0] >> 4 == 4 ? packet[1] & 3 : packet[1] >> 4 & 3;
}

static void set_ecn(guint8 *packet, guint ecn)
{
    if (packet[0] >> 4 == 6)
        packet[1] = (guint8) ((packet[1] & 0xcf) | ecn << 4);
    else
        packet[1] = (guint8) ((packet[1] & 0xfc) | ecn);
}

static guint8 *inner_of(guint8 *frame)
{
    guint8 *at = frame + 12;

    while (get16(at) == 0x8100 || get16(at) == 0x88a8)
        at += 4;
    return at + 2;
}

/* RFC 6040, 4.1, normal mode; nothing else of the DS field shows. */
static void test_ecn_out(void)
{
    for (guint version = 0; version < 2; version++) {
        for (guint ecn = 0; ecn < 4; ecn++) {
            gsize len;
            g_autofree guint8 *frame = unhex_alloc(by_ecn[version][ecn], &len);

            if (version == 0)
                inner_of(frame)[1] |= 0xb8;
            set_ecn(inner_of(frame), ecn);
            for (guint i = 0; i < 2; i++) {
                g_auto(Wrapped) w = wrap_bytes(i == 0 ? ends4 : ends6, frame, len, 0);

                g_assert_cmphex(i == 0 ? w.packet[1] : w.packet[1] >> 4, ==, ecn);
            }
        }
    }
    g_auto(Wrapped) w = wrap(ends4, ARP);
    g_assert_cmphex(w.packet[1], ==, 0);
}

/* RFC 6040, 4.2: a mark goes over; who does not know marks loses the frame. */
static void test_ecn_in(void)
{
    for (guint version = 0; version < 2; version++) {
        for (guint ecn = 0; ecn < 4; ecn++) {
            gsize len;
            g_autofree guint8 *before = unhex_alloc(by_ecn[version][ecn], &len);

            set_ecn(inner_of(before), ecn);
            for (guint outer = 0; outer < 4; outer++) {
                g_auto(Wrapped) w = wrap_bytes(ends4, before, len, 0);
                guint8 *frame;

                set_ecn(w.packet, outer);
                mend(&w);
                g_assert_cmpint(unwrap(ends4, &w, &frame, &len), ==, outer != 3 || ecn != 0);
                if (outer == 3 && ecn == 0)
                    continue;
                g_assert_cmpuint(ecn_of(inner_of(frame)), ==, outer == 3 ? 3 : ecn);
            }
        }
    }
    g_auto(Wrapped) w = wrap(ends4, ARP);
    set_ecn(w.packet, 3);
    mend(&w);
    g_assert_true(is_taken(ends4, &w));
}

/* ---- In ------------------------------------------------------------------------------------- */

typedef struct {
    const char *what;
    guint at;
    guint8 value;
} Change;

static void test_refused4(void)
{
    static const Change changes[] = {
        {"version", 0, 0x65},
        {"header too short", 0, 0x44},
        {"header too long", 0, 0x4f},
        {"total too large", 3, 0x57},
        {"total too small", 3, 0x45},
        {"more fragments", 6, 0x20},
        {"later fragment", 7, 1},
        {"not UDP", 9, 6},
        {"not to us", 19, 3},
        {"other port", 23, 0xb4},
        {"UDP too long", 25, 0x43},
        {"UDP too short", 25, 0x1d},
        {"no VNI", 28, 0},
        {"other VNI", 32, 0x13},
        {"other VNI", 34, 0x57},
    };

    for (guint i = 0; i < G_N_ELEMENTS(changes); i++) {
        g_auto(Wrapped) w = wrap(ends4, FRAME4);

        g_assert_true(is_taken(ends4, &w));
        w.packet[changes[i].at] = changes[i].value;
        mend(&w);
        g_test_message("%s", changes[i].what);
        g_assert_false(is_taken(ends4, &w));
    }
}

/* Except where nobody looks: what the frame says is its own affair. */
static void test_damaged4(void)
{
    g_auto(Wrapped) w = wrap(ends4, FRAME4);

    for (guint bit = 0; bit < 20 * 8; bit++) {
        w.packet[bit / 8] ^= (guint8) (1 << bit % 8);
        g_assert_false(is_taken(ends4, &w));
        w.packet[bit / 8] ^= (guint8) (1 << bit % 8);
    }
    g_assert_true(is_taken(ends4, &w));
}

/* All but the flow label, traffic class and hop limit, which no checksum covers. */
static void test_damaged6(void)
{
    g_auto(Wrapped) w = wrap(ends6, FRAME6);

    for (guint bit = 0; bit < w.len * 8; bit++) {
        guint byte = bit / 8;

        if ((byte == 0 && bit % 8 < 4) || (byte > 0 && byte < 4) || byte == 7)
            continue;
        w.packet[byte] ^= (guint8) (1 << bit % 8);
        g_assert_false(is_taken(ends6, &w));
        w.packet[byte] ^= (guint8) (1 << bit % 8);
    }
    g_assert_true(is_taken(ends6, &w));
}

/* RFC 8200, 8.1. */
static void test_checksum_is_wanted6(void)
{
    g_auto(Wrapped) w = wrap(ends6, FRAME6);

    put16(w.packet + 46, 0);
    g_assert_false(is_taken(ends6, &w));
}

/* Over IPv4 one that is there has to be right. */
static void test_checksum4(void)
{
    g_auto(Wrapped) w = wrap(ends4, FRAME4);
    gsize len = w.len - 20;
    g_autofree guint8 *all = g_malloc0(12 + len);

    memcpy(all, w.packet + 12, 8);
    all[9] = 17;
    put16(all + 10, (guint) len);
    memcpy(all + 12, w.packet + 20, len);
    put16(w.packet + 26, packets_checksum(all, 12 + len));
    g_assert_true(is_taken(ends4, &w));
    w.packet[26] ^= 1;
    g_assert_false(is_taken(ends4, &w));
}

/* RFC 7348, 5: reserved bits are ignored; options of IPv4 and what follows the packet as well. */
static void test_ignored(void)
{
    g_auto(Wrapped) w = wrap(ends4, FRAME4);
    guint8 *frame;
    gsize len;

    w.packet[28] = 0xff;
    memset(w.packet + 29, 0xff, 3);
    w.packet[35] = 0xff;
    g_assert_true(is_taken(ends4, &w));

    g_auto(Wrapped) padded = {.memory = g_malloc0(w.len + 14), .len = w.len + 14};
    padded.packet = padded.memory;
    memcpy(padded.packet, w.packet, 20);
    memset(padded.packet + 20, 1, 4); /* no operation */
    memcpy(padded.packet + 24, w.packet + 20, w.len - 20);
    padded.packet[0] = 0x46;
    put16(padded.packet + 2, (guint) w.len + 4);
    mend(&padded);
    g_assert_true(unwrap(ends4, &padded, &frame, &len));
    g_assert_cmpmem(frame, len, w.packet + 36, w.len - 36);
}

static void test_families(void)
{
    g_auto(Wrapped) four = wrap(ends4, FRAME4);
    g_auto(Wrapped) six = wrap(ends6, FRAME4);
    CulvertVtep source;
    guint8 *frame;
    gsize len;

    g_assert_false(
        culvert_vxlan_unwrap(VNI, &ends6[1], four.packet, four.len, &source, &frame, &len));
    g_assert_false(
        culvert_vxlan_unwrap(VNI, &ends4[1], six.packet, six.len, &source, &frame, &len));
}

static void test_cut_off(void)
{
    for (guint i = 0; i < 2; i++) {
        g_auto(Wrapped) w = wrap(i == 0 ? ends4 : ends6, FRAME4);
        gsize all = w.len;

        for (w.len = 0; w.len < all; w.len++) {
            /* Memory of just that size. */
            g_auto(Wrapped) less = {.memory = g_memdup2(w.packet, w.len), .len = w.len};

            less.packet = less.memory;
            g_assert_false(is_taken(i == 0 ? ends4 : ends6, &less));
        }
    }
}

/* ---- There and back ------------------------------------------------------------------------- */

static void test_random(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(7348);

    for (guint round = 0; round < 20000; round++) {
        const CulvertVtep *ends = packets_pick(rand, 2) ? ends6 : ends4;
        gsize len = 14 + packets_pick(rand, packets_pick(rand, 10) == 0 ? 9000 : 200), got;
        g_autofree guint8 *before = g_malloc(len);
        static const guint16 types[] = {0x0800, 0x86dd, 0x8100, 0x88a8, 0x0806};
        guint8 *frame;

        for (gsize i = 0; i < len; i++)
            before[i] = (guint8) g_rand_int(rand);
        put16(before + 12, types[packets_pick(rand, G_N_ELEMENTS(types))]);
        if (len > 14 && packets_pick(rand, 2))
            before[14] = get16(before + 12) == 0x0800 ? 0x45 : 0x60;
        g_auto(Wrapped) w = wrap_bytes(ends, before, len, (guint16) g_rand_int(rand));
        if (ends == ends6)
            g_assert_cmpuint(udp_sum6(&w), ==, 0);
        /* A mark that is inside stays there; of one outside, the frame has to know. */
        g_assert_true(unwrap(ends, &w, &frame, &got));
        g_assert_cmpmem(frame, got, before, len);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/vxlan/ipv4", test_ipv4);
    g_test_add_func("/vxlan/ipv6", test_ipv6);
    g_test_add_func("/vxlan/prepared", test_prepared);
    g_test_add_func("/vxlan/ids", test_ids);
    g_test_add_func("/vxlan/zero-checksum", test_zero_checksum);
    g_test_add_func("/vxlan/flows", test_flows);
    g_test_add_func("/vxlan/fragments-are-one-flow", test_fragments_are_one_flow);
    g_test_add_func("/vxlan/ecn/out", test_ecn_out);
    g_test_add_func("/vxlan/ecn/in", test_ecn_in);
    g_test_add_func("/vxlan/refused/ipv4", test_refused4);
    g_test_add_func("/vxlan/refused/damaged-ipv4", test_damaged4);
    g_test_add_func("/vxlan/refused/damaged-ipv6", test_damaged6);
    g_test_add_func("/vxlan/refused/no-checksum-ipv6", test_checksum_is_wanted6);
    g_test_add_func("/vxlan/refused/wrong-checksum-ipv4", test_checksum4);
    g_test_add_func("/vxlan/refused/family", test_families);
    g_test_add_func("/vxlan/refused/cut-off", test_cut_off);
    g_test_add_func("/vxlan/ignored", test_ignored);
    g_test_add_func("/vxlan/random", test_random);
    return g_test_run();
}
