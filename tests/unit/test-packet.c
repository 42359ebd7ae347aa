/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-packet.c: ECN, ports and ICMP errors of the packets in the tunnel, byte by byte.
 */
#include "tun/culvert-packet.h"

#include <netinet/in.h>
#include <string.h>

#include "test-hex.h"

/* 10.0.0.1 to 10.0.0.2, UDP port 4660 to 22136, 8 bytes of payload, TTL 64; header checksum right.
 */
#define IPV4_UDP                                                                                   \
    "4500 0024 0001 0000 4011 66c6 0a000001 0a000002 1234 5678 0010 0000 0102030405060708"

/* fd00::1 to fd00::2, the same datagram */
#define IPV6_UDP                                                                                   \
    "6000 0000 0010 1140 fd000000000000000000000000000001 fd000000000000000000000000000002"        \
    "1234 5678 0010 0000 0102030405060708"

static guint8 *packet_of(const char *hex, gsize *len)
{
    return unhex_alloc(hex, len);
}

/* RFC 1071, once more and written differently: over all, checksum field included, it is zero. */
static guint16 sum(const guint8 *data, gsize len, guint32 start)
{
    guint64 total = start;

    for (gsize i = 0; i < len; i++)
        total += (guint64) data[i] << (i % 2 == 0 ? 8 : 0);
    while (total > 0xffff)
        total = total % 0x10000 + total / 0x10000;
    return (guint16) (total ^ 0xffff);
}

/* ---- ECN ------------------------------------------------------------------------------------ */

enum {
    NOT_ECT,
    ECT_1,
    ECT_0,
    CE
};

static guint8 get_ecn(const guint8 *packet)
{
    return packet[0] >> 4 == 4 ? packet[1] & 3 : packet[1] >> 4 & 3;
}

/* All other bits of the DS field are set, and must stay as they are. */
static guint8 *packet_with_ecn(const char *hex, guint8 ecn, gsize *len)
{
    guint8 *packet = packet_of(hex, len);

    if (packet[0] >> 4 == 6) {
        packet[0] |= 0x0f;
        packet[1] = (guint8) (0xcf | ecn << 4);
        return packet;
    }
    packet[1] = (guint8) (0xfc | ecn);
    packet[10] = packet[11] = 0;
    guint16 check = sum(packet, 20, 0);
    packet[10] = (guint8) (check >> 8);
    packet[11] = (guint8) check;
    return packet;
}

static const char *const both[] = {IPV4_UDP, IPV6_UDP};

/* RFC 3168, 9.1.1, full functionality: what the outer header gets. */
static void test_encapsulate(void)
{
    static const guint8 outer[] = {NOT_ECT, ECT_1, ECT_0, ECT_0};

    for (guint family = 0; family < 2; family++) {
        for (guint8 inner = 0; inner < 4; inner++) {
            gsize len;
            g_autofree guint8 *packet = packet_with_ecn(both[family], inner, &len);

            g_assert_cmpuint(culvert_packet_outer_ecn(packet), ==, outer[inner]);
        }
    }
}

/* RFC 3168, 9.1.1, and RFC 6040, figure 4, column CE, but that what does not know ECN passes
 * (kernel: receive.c ignores what INET_ECN_decapsulate says). */
static void test_decapsulate(void)
{
    static const guint8 after[] = {NOT_ECT, CE, CE, CE};

    for (guint family = 0; family < 2; family++) {
        for (guint8 inner = 0; inner < 4; inner++) {
            gsize len;
            g_autofree guint8 *packet = packet_with_ecn(both[family], inner, &len);
            g_autofree guint8 *expected = packet_with_ecn(both[family], after[inner], &len);

            culvert_packet_mark_ce(packet);
            g_assert_cmpuint(get_ecn(packet), ==, after[inner]);
            g_assert_cmpmem(packet, len, expected, len);
        }
    }
}

/* The checksum, adjusted and not computed anew, is right for any header, and wrong if it was. */
static void test_mark_checksum(void)
{
    for (guint i = 0; i < 65536; i++) {
        gsize len;
        g_autofree guint8 *packet = packet_of(IPV4_UDP, &len);
        guint16 check;

        packet[1] = (guint8) ((i & 63) << 2 | (i & 1 ? ECT_0 : ECT_1));
        packet[4] = (guint8) (i >> 8);
        packet[5] = (guint8) i;
        packet[10] = packet[11] = 0;
        check = sum(packet, 20, 0);
        packet[10] = (guint8) (check >> 8);
        packet[11] = (guint8) check;
        culvert_packet_mark_ce(packet);
        g_assert_cmphex(sum(packet, 20, 0), ==, 0);
    }
}

static void test_mark_keeps_a_wrong_checksum_wrong(void)
{
    gsize len;
    g_autofree guint8 *packet = packet_with_ecn(IPV4_UDP, ECT_0, &len);

    packet[11] ^= 0x55;
    culvert_packet_mark_ce(packet);
    g_assert_cmphex(sum(packet, 20, 0), !=, 0);
}

/* ---- Ports ---------------------------------------------------------------------------------- */

static const guint8 to4[] = {10, 0, 0, 2};
static const guint8 to6[] = {0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2};

static gboolean is_ours4(const char *hex)
{
    gsize len;
    g_autofree guint8 *packet = packet_of(hex, &len);

    return culvert_packet_is_udp_to(packet, len, 0x1234, AF_INET, to4, 0x5678);
}

static gboolean is_ours6(const char *hex)
{
    gsize len;
    g_autofree guint8 *packet = packet_of(hex, &len);

    return culvert_packet_is_udp_to(packet, len, 0x1234, AF_INET6, to6, 0x5678);
}

#define HEAD4(rest) "4500 0024 0001 " rest
#define ADDR4       "0a000001 0a000002 "
#define UDP         "1234 5678 0010 0000 0102030405060708"

static void test_udp4(void)
{
    g_assert_true(is_ours4(IPV4_UDP));
    /* with options */
    g_assert_true(is_ours4("4600 0028 0001 0000 4011 0000 " ADDR4 "01010101 " UDP));
    g_assert_false(is_ours4("4600 0028 0001 0000 4011 0000 " ADDR4 UDP));
    /* a first fragment has the ports, a later one bytes of payload where they would be */
    g_assert_true(is_ours4(HEAD4("2000 4011 0000 ") ADDR4 UDP));
    g_assert_false(is_ours4(HEAD4("2001 4011 0000 ") ADDR4 UDP));
    g_assert_false(is_ours4(HEAD4("1fff 4011 0000 ") ADDR4 UDP));
    /* "do not fragment" is no fragment */
    g_assert_true(is_ours4(HEAD4("4000 4011 0000 ") ADDR4 UDP));
    /* TCP; another destination; another port at either end */
    g_assert_false(is_ours4(HEAD4("0000 4006 0000 ") ADDR4 UDP));
    g_assert_false(is_ours4(HEAD4("0000 4011 0000 ") "0a000002 0a000001 " UDP));
    g_assert_false(is_ours4(HEAD4("0000 4011 0000 ") ADDR4 "1234 5679 0010 0000"));
    g_assert_false(is_ours4(HEAD4("0000 4011 0000 ") ADDR4 "1235 5678 0010 0000"));
}

static void test_udp4_cut(void)
{
    gsize len;
    g_autofree guint8 *packet = packet_of(IPV4_UDP, &len);

    for (gsize cut = 20; cut < 28; cut++) {
        g_autofree guint8 *exact = g_memdup2(packet, cut); /* so that a tool sees reads beyond */

        g_assert_false(culvert_packet_is_udp_to(exact, cut, 0x1234, AF_INET, to4, 0x5678));
    }
    /* A header that says it is shorter or longer than it can be */
    packet[0] = 0x40;
    g_assert_false(culvert_packet_is_udp_to(packet, len, 0x1234, AF_INET, to4, 0x5678));
    packet[0] = 0x4f;
    g_assert_false(culvert_packet_is_udp_to(packet, len, 0x1234, AF_INET, to4, 0x5678));
}

#define HEAD6(next)                                                                                \
    "6000 0000 0018 " next "40 fd000000000000000000000000000001 fd000000000000000000000000000002 "

static void test_udp6(void)
{
    gsize len;
    g_autofree guint8 *packet = packet_of(IPV6_UDP, &len);

    g_assert_true(is_ours6(IPV6_UDP));
    g_assert_false(is_ours6(HEAD6("06") UDP));
    /* a first fragment, a later one, one of TCP */
    g_assert_true(is_ours6(HEAD6("2c") "1100 0001 00000007 " UDP));
    g_assert_false(is_ours6(HEAD6("2c") "1100 0009 00000007 " UDP));
    g_assert_false(is_ours6(HEAD6("2c") "0600 0001 00000007 " UDP));
    g_assert_false(is_ours6(HEAD6("2c") "1100 0001"));
    g_assert_false(is_ours6("6000 0000 0010 1140 fd000000000000000000000000000001 "
                            "fd000000000000000000000000000003" UDP));
    g_assert_false(is_ours6(HEAD6("11") "1234 5679 0010 0000"));
    for (gsize cut = 40; cut < 48; cut++) {
        g_autofree guint8 *exact = g_memdup2(packet, cut);

        g_assert_false(culvert_packet_is_udp_to(exact, cut, 0x1234, AF_INET6, to6, 0x5678));
    }
}

static void test_udp_of_the_other_family(void)
{
    gsize len;
    g_autofree guint8 *packet4 = packet_of(IPV4_UDP, &len);
    g_autofree guint8 *packet6 = packet_of(IPV6_UDP, &len);

    g_assert_false(culvert_packet_is_udp_to(packet4, 36, 0x1234, AF_INET6, to6, 0x5678));
    g_assert_false(culvert_packet_is_udp_to(packet6, 56, 0x1234, AF_INET, to4, 0x5678));
}

/* ---- Unreachable ---------------------------------------------------------------------------- */

static gsize answer(const char *hex, guint8 *out)
{
    gsize len;
    g_autofree guint8 *packet = packet_of(hex, &len);

    return culvert_packet_unreachable(packet, len, out);
}

/* From the destination, to the source; type 3, code 1; the whole packet quoted. */
static void test_unreachable4(void)
{
    guint8 out[CULVERT_UNREACHABLE_MAX];
    gsize len = answer(IPV4_UDP, out);

    assert_hex(out, len,
               "4500 0040 0000 0000 4001 66bb 0a000002 0a000001"
               "0301 842e 00000000" IPV4_UDP);
    g_assert_cmphex(sum(out, 20, 0), ==, 0);
    g_assert_cmphex(sum(out + 20, len - 20, 0), ==, 0);
}

/* Type 1, code 3; the checksum covers both addresses, the length and the protocol. */
static void test_unreachable6(void)
{
    guint8 out[CULVERT_UNREACHABLE_MAX];
    gsize len = answer(IPV6_UDP, out);

    g_assert_cmpuint(len, ==, 40 + 8 + 56);
    assert_hex(out, 42,
               "6000 0000 0040 3a40 fd000000000000000000000000000002"
               "fd000000000000000000000000000001 0103");
    assert_hex(out + 44, 4 + 56, "00000000" IPV6_UDP);
    g_assert_cmphex(sum(out + 8, len - 8, (guint32) (len - 40) + IPPROTO_ICMPV6), ==, 0);
}

/* A long packet is quoted in part: 576 bytes, 1280 bytes; an odd length has its checksum, too. */
static void test_unreachable_long(void)
{
    guint8 out[CULVERT_UNREACHABLE_MAX], packet[1501] = {0};
    gsize head;
    g_autofree guint8 *packet4 = packet_of(IPV4_UDP, &head);
    g_autofree guint8 *packet6 = packet_of(IPV6_UDP, &head);

    for (guint i = 0; i < sizeof packet; i++)
        packet[i] = (guint8) (i * 7);
    memcpy(packet, packet4, 28);
    g_assert_cmpuint(culvert_packet_unreachable(packet, sizeof packet, out), ==, 576);
    g_assert_cmpmem(out + 28, 548, packet, 548);
    g_assert_cmphex(sum(out + 20, 556, 0), ==, 0);
    g_assert_cmpuint(culvert_packet_unreachable(packet, 101, out), ==, 129);
    g_assert_cmphex(sum(out + 20, 109, 0), ==, 0);

    memcpy(packet, packet6, 48);
    g_assert_cmpuint(culvert_packet_unreachable(packet, sizeof packet, out), ==, 1280);
    g_assert_cmpmem(out + 48, 1232, packet, 1232);
    g_assert_cmphex(sum(out + 8, 1272, 1240 + IPPROTO_ICMPV6), ==, 0);
}

/* An echo request is answered: that is how `ping` says "Destination Host Unreachable". */
static void test_answered(void)
{
    static const char *const packets[] = {
        HEAD4("0000 4001 0000 ") ADDR4 "0800 0000 00000000",
        HEAD4("0000 4001 0000 ") ADDR4 "0000 0000 00000000",
        HEAD4("0000 4001 0000 ") ADDR4 "0d00 0000 00000000",
        HEAD4("0000 4006 0000 ") ADDR4,
        HEAD4("2000 4011 0000 ") ADDR4 UDP,
        HEAD6("3a") "8000 0000 00000000",
        HEAD6("3a") "8100 0000 00000000",
        HEAD6("06"),
        HEAD6("2c") "1100 0001 00000007 " UDP,
    };
    guint8 out[CULVERT_UNREACHABLE_MAX];

    for (guint i = 0; i < G_N_ELEMENTS(packets); i++) {
        if (answer(packets[i], out) == 0)
            g_error("not answered: %s", packets[i]);
    }
}

/* RFC 1122, 3.2.2, and RFC 4443, 2.4 e. */
static void test_not_answered(void)
{
    static const char *const packets[] = {
        /* ICMP errors, kinds nobody knows, and none at all: it might be an error */
        HEAD4("0000 4001 0000 ") ADDR4 "0300 0000 00000000",
        HEAD4("0000 4001 0000 ") ADDR4 "0400 0000 00000000",
        HEAD4("0000 4001 0000 ") ADDR4 "0500 0000 00000000",
        HEAD4("0000 4001 0000 ") ADDR4 "0b00 0000 00000000",
        HEAD4("0000 4001 0000 ") ADDR4 "0c00 0000 00000000",
        HEAD4("0000 4001 0000 ") ADDR4 "2a00 0000 00000000",
        HEAD4("0000 4001 0000 ") ADDR4,
        /* the header is longer than the packet */
        "4f00 001c 0001 0000 4001 0000 " ADDR4 "0800 0000 00000000",
        /* a later fragment */
        HEAD4("2001 4011 0000 ") ADDR4 UDP,
        HEAD4("0001 4011 0000 ") ADDR4 UDP,
        /* to a multicast, a reserved, the broadcast address */
        HEAD4("0000 4011 0000 ") "0a000001 e0000001 " UDP,
        HEAD4("0000 4011 0000 ") "0a000001 effffffa " UDP,
        HEAD4("0000 4011 0000 ") "0a000001 f0000001 " UDP,
        HEAD4("0000 4011 0000 ") "0a000001 ffffffff " UDP,
        /* from none, oneself, a group, everybody */
        HEAD4("0000 4011 0000 ") "00000000 0a000002 " UDP,
        HEAD4("0000 4011 0000 ") "7f000001 0a000002 " UDP,
        HEAD4("0000 4011 0000 ") "e0000001 0a000002 " UDP,
        HEAD4("0000 4011 0000 ") "ffffffff 0a000002 " UDP,
        /* the same of IPv6 */
        HEAD6("3a") "0100 0000 00000000",
        HEAD6("3a") "0200 0000 00000000",
        HEAD6("3a") "7f00 0000 00000000",
        HEAD6("3a"),
        HEAD6("2c") "1100 0009 00000007 " UDP,
        HEAD6("2c") "3a00 0001 00000007 0100 0000 00000000",
        HEAD6("2c") "1100 00",
        "6000 0000 0010 1140 fd000000000000000000000000000001 "
        "ff020000000000000000000000000001" UDP,
        "6000 0000 0010 1140 ff020000000000000000000000000001 "
        "fd000000000000000000000000000002" UDP,
        "6000 0000 0010 1140 00000000000000000000000000000000 "
        "fd000000000000000000000000000002" UDP,
        "6000 0000 0010 1140 00000000000000000000000000000001 "
        "fd000000000000000000000000000002" UDP,
    };
    guint8 out[CULVERT_UNREACHABLE_MAX];

    for (guint i = 0; i < G_N_ELEMENTS(packets); i++) {
        if (answer(packets[i], out) != 0)
            g_error("answered: %s", packets[i]);
    }
}

/* Nothing is read beyond a packet cut anywhere, whatever it claims. */
static void test_cut_anywhere(void)
{
    static const char *const packets[] = {
        IPV4_UDP,
        IPV6_UDP,
        "4fff ffff ffff 0000 40ff ffff 0a000001 0a000002 ffff ffff ffff ffff",
        HEAD4("0000 4001 0000 ") ADDR4 "0800 0000 00000000",
        HEAD6("2c") "1100 0001 00000007 " UDP,
        HEAD6("3a") "8000 0000 00000000",
    };
    guint8 out[CULVERT_UNREACHABLE_MAX];

    for (guint i = 0; i < G_N_ELEMENTS(packets); i++) {
        gsize len;
        g_autofree guint8 *packet = packet_of(packets[i], &len);
        gsize least = packet[0] >> 4 == 4 ? 20 : 40;

        for (gsize cut = least; cut <= len; cut++) {
            g_autofree guint8 *exact = g_memdup2(packet, cut);

            culvert_packet_unreachable(exact, cut, out);
            culvert_packet_is_udp_to(exact, cut, 0x1234, AF_INET, to4, 0x5678);
            culvert_packet_is_udp_to(exact, cut, 0x1234, AF_INET6, to6, 0x5678);
            culvert_packet_outer_ecn(exact);
            culvert_packet_outer_hops(exact, cut, out);
            culvert_packet_mark_ce(exact);
        }
    }
}

/* ---- Tunnels in the tunnel ------------------------------------------------------------------ */

/* A UDP datagram of this message type and payload length in an IP packet with this hop limit. */
static guint8 *nested(guint version, guint8 hop_limit, guint8 type, guint16 payload, gsize *len)
{
    gsize header = version == 4 ? 20 : 40;
    guint8 *packet = g_malloc0(header + 8 + payload);

    packet[0] = (guint8) (version << 4 | (version == 4 ? 5 : 0));
    packet[version == 4 ? 9 : 6] = IPPROTO_UDP;
    packet[version == 4 ? 8 : 7] = hop_limit;
    packet[header + 4] = (guint8) ((payload + 8) >> 8);
    packet[header + 5] = (guint8) (payload + 8);
    if (payload > 0)
        packet[header + 8] = type;
    *len = header + 8 + payload;
    return packet;
}

static void test_nested(void)
{
    static const struct {
        guint8 type;
        guint16 payload;
        gboolean is_message;
    } cases[] = {
        {1, 148, TRUE},  {2, 92, TRUE},   {3, 64, TRUE},  {4, 32, TRUE},     {4, 1452, TRUE},
        {1, 147, FALSE}, {2, 148, FALSE}, {3, 32, FALSE}, {4, 31, FALSE},    {4, 0, FALSE},
        {0, 148, FALSE}, {5, 148, FALSE}, {4, 3, FALSE},  {255, 148, FALSE},
    };

    for (guint version = 4; version <= 6; version += 2) {
        for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
            gsize len;
            guint8 hops = 99;
            g_autofree guint8 *packet = nested(version, 64, cases[i].type, cases[i].payload, &len);

            g_assert_cmpint(culvert_packet_outer_hops(packet, len, &hops), ==,
                            cases[i].is_message ? CULVERT_HOPS_LIMITED : CULVERT_HOPS_DEFAULT);
            g_assert_cmpuint(hops, ==, cases[i].is_message ? 64 - CULVERT_NESTING_COST : 99);
            if (!cases[i].is_message)
                continue;
            packet[(version == 4 ? 20 : 40) + 8 + 2] = 1; /* a reserved bit */
            g_assert_cmpint(culvert_packet_outer_hops(packet, len, &hops), ==,
                            CULVERT_HOPS_DEFAULT);
        }
    }
}

static void test_nested_ends(void)
{
    for (guint version = 4; version <= 6; version += 2) {
        guint8 hops = 64;
        guint times = 0;
        CulvertHops verdict;

        do {
            gsize len;
            g_autofree guint8 *packet = nested(version, hops, 4, 64, &len);

            verdict = culvert_packet_outer_hops(packet, len, &hops);
            times++;
        } while (verdict == CULVERT_HOPS_LIMITED);
        g_assert_cmpint(verdict, ==, CULVERT_HOPS_USED_UP);
        g_assert_cmpuint(times, ==, 64 / CULVERT_NESTING_COST);
    }
}

/* Of a packet in pieces the first tells what it is; the others may be anything, and are not
 * dropped. */
static void test_nested_fragments(void)
{
    gsize len;
    guint8 hops = 0;
    g_autofree guint8 *packet = nested(4, 64, 4, 1452, &len);

    packet[6] = 0x20; /* more fragments */
    g_assert_cmpint(culvert_packet_outer_hops(packet, 600, &hops), ==, CULVERT_HOPS_LIMITED);
    g_assert_cmpuint(hops, ==, 56);
    g_assert_cmpint(culvert_packet_outer_hops(packet, 28, &hops), ==, CULVERT_HOPS_DEFAULT);

    memset(packet + 20, 0xff, len - 20);
    packet[7] = 100; /* a later one */
    g_assert_cmpint(culvert_packet_outer_hops(packet, len, &hops), ==, CULVERT_HOPS_LIMITED);
    packet[8] = CULVERT_NESTING_COST;
    g_assert_cmpint(culvert_packet_outer_hops(packet, len, &hops), ==, CULVERT_HOPS_DEFAULT);
    packet[8] = 64;
    packet[9] = IPPROTO_TCP;
    g_assert_cmpint(culvert_packet_outer_hops(packet, len, &hops), ==, CULVERT_HOPS_DEFAULT);

    /* IPv6 has a header for it. */
    g_autofree guint8 *wide = g_malloc0(40 + 8 + 8 + 64);

    wide[0] = 0x60;
    wide[6] = IPPROTO_FRAGMENT;
    wide[7] = 64;
    wide[40] = IPPROTO_UDP;
    wide[43] = 1; /* more follow */
    wide[48 + 4] = 1;
    wide[48 + 8] = 4;
    g_assert_cmpint(culvert_packet_outer_hops(wide, 120, &hops), ==, CULVERT_HOPS_LIMITED);
    g_assert_cmpint(culvert_packet_outer_hops(wide, 47, &hops), ==, CULVERT_HOPS_DEFAULT);
    wide[48 + 8] = 9;
    g_assert_cmpint(culvert_packet_outer_hops(wide, 120, &hops), ==, CULVERT_HOPS_DEFAULT);
    wide[42] = 1; /* not the first */
    g_assert_cmpint(culvert_packet_outer_hops(wide, 120, &hops), ==, CULVERT_HOPS_LIMITED);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func("/packet/" name, func)
    ADD("nested", test_nested);                     /* row 34 */
    ADD("nested-ends", test_nested_ends);           /* row 34 */
    ADD("nested-fragments", test_nested_fragments); /* row 34 */
    ADD("ecn/encapsulate", test_encapsulate);       /* row 24 */
    ADD("ecn/decapsulate", test_decapsulate);       /* row 24 */
    ADD("ecn/checksum", test_mark_checksum);        /* row 24 */
    ADD("ecn/wrong-checksum", test_mark_keeps_a_wrong_checksum_wrong);
    ADD("udp/ipv4", test_udp4);
    ADD("udp/ipv4-cut", test_udp4_cut);
    ADD("udp/ipv6", test_udp6);
    ADD("udp/other-family", test_udp_of_the_other_family);
    ADD("unreachable/ipv4", test_unreachable4); /* row 21 */
    ADD("unreachable/ipv6", test_unreachable6); /* row 21 */
    ADD("unreachable/long", test_unreachable_long);
    ADD("unreachable/answered", test_answered);
    ADD("unreachable/not-answered", test_not_answered); /* row 21 */
    ADD("cut-anywhere", test_cut_anywhere);
    return g_test_run();
}
