/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-coalesce.c: which packets are written to the device as one, in which order, and the bytes
 * of what is written, by example.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "coalesced.h"

#define FULL       1000 /* bytes of payload */
#define MAX_AS_ONE 64
#define MAX_FLOWS  8

/* ---- By example: two packets ---------------------------------------------------------------- */

/* What its sender would send next: `size` bytes more. */
static Description next_of(const Description *d, gsize size)
{
    Description next = *d;

    next.sequence += (guint32) d->size;
    next.id++;
    next.payload += d->size;
    next.size = size;
    return next;
}

/* The first two as one, or each by itself, but in order. */
static void check_pair(const Description *first, const Description *second, gboolean as_one)
{
    g_auto(Recorder) recorder = {0};
    Description whole = *first;

    recorder_init(&recorder, ANY_KIND);
    recorder_add(&recorder, first);
    recorder_add(&recorder, second);
    culvert_coalescer_flush(&recorder.c);
    if (!as_one) {
        g_assert_cmpuint(recorder.written->len, ==, 2);
        written_assert_unchanged(recorder_written(&recorder, 0), first);
        written_assert_unchanged(recorder_written(&recorder, 1), second);
        return;
    }
    whole.size += second->size;
    whole.flags |= second->flags & TH_PUSH;
    g_assert_cmpuint(recorder.written->len, ==, 1);
    written_assert_whole(recorder_written(&recorder, 0), &whole, (guint16) first->size, 2);
}

static void test_pairs(void)
{
    for (guint kind = 0; kind < N_KINDS; kind++) {
        Description first = packets_of_kind(kind, FULL), second;

        for (gsize size = 0; size <= FULL + 2; size++) {
            second = next_of(&first, size);
            check_pair(&first, &second, size >= 1 && size <= FULL);
        }
        first = packets_of_kind(kind, 0);
        second = next_of(&first, 0);
        check_pair(&first, &second, FALSE);
        first = packets_of_kind(kind, 1);
        second = next_of(&first, 1);
        check_pair(&first, &second, TRUE);
    }
}

/* Each field that must be the same, or be right, keeps two packets apart if it is not. */
static void test_differences(void)
{
    for (guint kind = 0; kind < N_KINDS; kind++) {
        for (guint i = 0; i < n_differences; i++) {
            Description first = packets_of_kind(kind, FULL), second = next_of(&first, FULL);

            if (!IS(kind, differences[i].kinds))
                continue;
            g_test_message("kind %u: %s", kind, differences[i].name);
            packets_flip(&second, i);
            check_pair(&first, &second, FALSE);
        }
    }
}

/* The same value in both does not, for what may be in a packet that is put together. */
static void test_same_in_both(void)
{
    for (guint kind = 0; kind < N_KINDS; kind++) {
        for (guint i = 0; i < n_differences; i++) {
            Description first = packets_of_kind(kind, FULL), second;
            gboolean never = strcmp(differences[i].name, "flags") == 0 ||
                             strcmp(differences[i].name, "reserved") == 0 ||
                             strcmp(differences[i].name, "no_checksum") == 0 ||
                             strcmp(differences[i].name, "padding") == 0 ||
                             (strcmp(differences[i].name, "fragment") == 0 &&
                              differences[i].change == 0x8000 /* reserved */);

            if (!IS(kind, differences[i].kinds))
                continue;
            packets_flip(&first, i);
            second = next_of(&first, FULL);
            check_pair(&first, &second, !never);
        }
    }
}

static void test_options(void)
{
    static const guint8 other[] = {1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 9};

    for (guint kind = 0; kind < N_KINDS; kind++) {
        Description first = packets_of_kind(kind, FULL), second = next_of(&first, FULL);

        if (!IS(kind, TCP))
            continue;
        second.tcp_options = other;
        check_pair(&first, &second, FALSE);
        first.tcp_options = other;
        check_pair(&first, &second, TRUE);
        first.n_tcp_options = second.n_tcp_options = 0;
        check_pair(&first, &second, TRUE);
    }
}

/* The first two are written as one without waiting for the third. */
static void check_end(const Description *first, const Description *second, const Description *third)
{
    g_auto(Recorder) recorder = {0};

    recorder_init(&recorder, ANY_KIND);
    recorder_add(&recorder, first);
    g_assert_cmpuint(recorder.written->len, ==, 0);
    recorder_add(&recorder, second);
    g_assert_cmpuint(recorder.written->len, ==, 1);
    g_assert_cmpuint(recorder_written(&recorder, 0)->packets, ==, 2);
    recorder_add(&recorder, third);
    culvert_coalescer_flush(&recorder.c);
    g_assert_cmpuint(recorder.written->len, ==, 2);
    written_assert_unchanged(recorder_written(&recorder, 1), third);
}

static void test_push(void)
{
    for (guint kind = 0; kind < N_KINDS; kind++) {
        Description first = packets_of_kind(kind, FULL), second = next_of(&first, FULL), third;

        if (!IS(kind, TCP))
            continue;
        second.flags |= TH_PUSH;
        check_pair(&first, &second, TRUE);
        third = next_of(&second, FULL);
        third.flags = TH_ACK;
        check_pair(&second, &third, FALSE);
        check_end(&first, &second, &third);
    }
}

static void test_shorter_is_last(void)
{
    for (guint kind = 0; kind < N_KINDS; kind++) {
        Description first = packets_of_kind(kind, FULL), second = next_of(&first, FULL - 1);
        Description third = next_of(&second, FULL - 1);

        check_end(&first, &second, &third);
    }
}

/* With "do not fragment" all may have the same ID, but not some. */
static void test_ids(void)
{
    for (guint kind = 0; kind < N_KINDS; kind++) {
        Description first = packets_of_kind(kind, FULL), second = next_of(&first, FULL), third;
        g_auto(Recorder) recorder = {0};

        if (!IS(kind, IPV4))
            continue;
        second.id = first.id;
        check_pair(&first, &second, TRUE);
        third = next_of(&second, FULL);
        recorder_init(&recorder, ANY_KIND);
        recorder_add(&recorder, &first);
        recorder_add(&recorder, &second);
        recorder_add(&recorder, &third); /* the ID after the second's */
        third = next_of(&third, FULL);
        third.id--;
        recorder_add(&recorder, &third);
        culvert_coalescer_flush(&recorder.c);
        g_assert_cmpuint(recorder.written->len, ==, 2);
        g_assert_cmpuint(recorder_written(&recorder, 0)->packets, ==, 2);
        g_assert_cmpuint(recorder_written(&recorder, 1)->packets, ==, 2);
        first.fragment = second.fragment = 0;
        check_pair(&first, &second, FALSE);
    }
}

static void test_tunnels(void)
{
    static const guint16 ports[] = {4789, 6081, 8472};

    for (guint kind = 0; kind < N_KINDS; kind++) {
        for (guint i = 0; i < G_N_ELEMENTS(ports); i++) {
            Description first = packets_of_kind(kind, FULL), second;

            first.destination_port = ports[i];
            second = next_of(&first, FULL);
            check_pair(&first, &second, IS(kind, TCP));
            first.destination_port = second.destination_port = ports[i] + 1;
            check_pair(&first, &second, TRUE);
            first.source_port = second.source_port = ports[i];
            check_pair(&first, &second, TRUE);
        }
    }
}

static void test_kinds(void)
{
    for (guint kinds = 0; kinds <= ANY_KIND; kinds++) {
        for (guint kind = 0; kind < N_KINDS; kind++) {
            Description first = packets_of_kind(kind, FULL), second = next_of(&first, FULL);
            gboolean is_tcp = IS(kind, TCP);
            g_auto(Recorder) recorder = {0};

            recorder_init(&recorder, kinds);
            recorder_add(&recorder, &first);
            recorder_add(&recorder, &second);
            culvert_coalescer_flush(&recorder.c);
            g_assert_cmpuint(recorder.written->len, ==,
                             kinds & (is_tcp ? CULVERT_COALESCE_TCP : CULVERT_COALESCE_UDP) ? 1
                                                                                            : 2);
        }
    }
}

/* Bytes that say what they are not: the packet is written as it is. */
static void test_wrong_bytes(void)
{
    static const struct {
        guint kinds;
        gsize at; /* from the transport header if `in_transport`, else from that of IP */
        gboolean in_transport;
        guint8 change;
    } cases[] = {
        {IPV4, 11, FALSE, 0x01}, /* header checksum */
        {IPV4, 3, FALSE, 0x01},  /* total length */
        {IPV6, 5, FALSE, 0x01},  /* payload length */
        {ALL, 0, FALSE, 0x10},   /* version */
        {IPV4, 0, FALSE, 0x01},  /* header length */
        {TCP, 12, TRUE, 0x80},   /* header length: 0 */
        {TCP, 12, TRUE, 0xc0},   /* 4 */
        {UDP, 5, TRUE, 0x01},    /* UDP length */
        {IPV4, 6, FALSE, 0x80},  /* reserved bit */
    };

    for (guint kind = 0; kind < N_KINDS; kind++) {
        for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
            Description first = packets_of_kind(kind, FULL), second = next_of(&first, FULL);
            g_autoptr(GBytes) right = packets_build(&second), wrong = NULL;
            gsize at = cases[i].in_transport ? packets_transport(&first) : packets_link(&first),
                  len;
            guint8 *bytes = g_memdup2(g_bytes_get_data(right, &len), g_bytes_get_size(right));
            g_auto(Recorder) recorder = {0};

            bytes[at + cases[i].at] ^= cases[i].change;
            wrong = g_bytes_new_take(bytes, len);
            if (!IS(kind, cases[i].kinds))
                continue;
            recorder_init(&recorder, ANY_KIND);
            recorder_add(&recorder, &first);
            recorder_add_bytes(&recorder, first.is_frame, bytes, len);
            culvert_coalescer_flush(&recorder.c);
            g_assert_cmpuint(recorder.written->len, ==, 2);
            packets_assert_equal(recorder_written(&recorder, i == 3 ? 0 : 1)->packet, wrong);
            written_assert_unchanged(recorder_written(&recorder, i == 3 ? 1 : 0), &first);
        }
    }
}

/* A packet with a byte more or less than it says. In a frame one more is padding. */
static void test_wrong_length(void)
{
    for (guint kind = 0; kind < N_KINDS; kind++) {
        Description first = packets_of_kind(kind, FULL), second = next_of(&first, FULL - 50);
        g_autoptr(GBytes) built = packets_build(&second);
        gsize right = g_bytes_get_size(built);

        for (gsize len = right - 1; len <= right + 1; len += 2) {
            g_autofree guint8 *bytes = g_malloc0(right + 1);
            g_autoptr(GBytes) wrong = NULL;
            g_auto(Recorder) recorder = {0};

            memcpy(bytes, g_bytes_get_data(built, NULL), right);
            wrong = g_bytes_new(bytes, len);
            recorder_init(&recorder, ANY_KIND);
            recorder_add(&recorder, &first);
            recorder_add_bytes(&recorder, first.is_frame, bytes, len);
            culvert_coalescer_flush(&recorder.c);
            g_assert_cmpuint(recorder.written->len, ==, 2);
            written_assert_unchanged(recorder_written(&recorder, 0), &first);
            packets_assert_equal(recorder_written(&recorder, 1)->packet, wrong);
        }
    }
}

/* The transport checksum is not looked at, but for being there. */
static void test_transport_checksum_is_not_verified(void)
{
    for (guint kind = 0; kind < N_KINDS; kind++) {
        Description first = packets_of_kind(kind, FULL), second = next_of(&first, FULL),
                    whole = first;
        g_autoptr(GBytes) right = packets_build(&second);
        gsize len;
        g_autofree guint8 *bytes =
            g_memdup2(g_bytes_get_data(right, &len), g_bytes_get_size(right));
        g_auto(Recorder) recorder = {0};

        bytes[packets_transport(&first) + (IS(kind, UDP) ? 6 : 16)] ^= 1;
        recorder_init(&recorder, ANY_KIND);
        recorder_add(&recorder, &first);
        recorder_add_bytes(&recorder, first.is_frame, bytes, len);
        culvert_coalescer_flush(&recorder.c);
        whole.size = 2 * FULL;
        g_assert_cmpuint(recorder.written->len, ==, 1);
        written_assert_whole(recorder_written(&recorder, 0), &whole, FULL, 2);
    }
}

/* ---- By example: many packets --------------------------------------------------------------- */

static void test_limits(void)
{
    static const gsize sizes[] = {1, 100, 1000, 1023, 1024, 1400, 9000, 32000, 40000};

    for (guint kind = 0; kind < N_KINDS; kind++) {
        for (guint i = 0; i < G_N_ELEMENTS(sizes); i++) {
            Description d = packets_of_kind(kind, sizes[i]), whole = d;
            gsize room = (65535 + packets_link(&d) - packets_headers(&d)) / sizes[i];
            g_auto(Recorder) recorder = {0};

            recorder_init(&recorder, ANY_KIND);
            for (guint k = 0; k < 2 * MAX_AS_ONE; k++) {
                /* The sequence number goes on, the payload begins anew, lest it ends. */
                d.payload = whole.payload + (k % MIN(room, MAX_AS_ONE)) * d.size;
                recorder_add(&recorder, &d);
                d.sequence += (guint32) d.size;
                d.id++;
            }
            culvert_coalescer_flush(&recorder.c);
            whole.size *= MIN(room, MAX_AS_ONE);
            if (room < 2)
                written_assert_unchanged(recorder_written(&recorder, 0), &whole);
            else
                written_assert_whole(recorder_written(&recorder, 0), &whole, (guint16) sizes[i],
                                     (guint) MIN(room, MAX_AS_ONE));
        }
    }
}

/* Flushed in the order of the first packets; one flow too many has the first written. */
static void test_flows(void)
{
    g_auto(Recorder) recorder = {0};
    Description flows[MAX_FLOWS + 1];

    recorder_init(&recorder, ANY_KIND);
    for (guint i = 0; i < G_N_ELEMENTS(flows); i++) {
        flows[i] = packets_of_kind(i % N_KINDS, FULL);
        flows[i].source_port = (guint16) (1000 + i);
    }
    for (guint i = 0; i < MAX_FLOWS; i++)
        recorder_add(&recorder, &flows[i]);
    for (guint i = MAX_FLOWS; i > 0; i--) {
        Description next = next_of(&flows[i - 1], FULL);

        recorder_add(&recorder, &next);
    }
    g_assert_cmpuint(recorder.written->len, ==, 0);
    recorder_add(&recorder, &flows[MAX_FLOWS]);
    g_assert_cmpuint(recorder.written->len, ==, 1);
    culvert_coalescer_flush(&recorder.c);
    g_assert_cmpuint(recorder.written->len, ==, MAX_FLOWS + 1);
    for (guint i = 0; i < MAX_FLOWS; i++) {
        Description whole = flows[i];

        whole.size = 2 * FULL;
        written_assert_whole(recorder_written(&recorder, i), &whole, FULL, 2);
    }
    written_assert_unchanged(recorder_written(&recorder, MAX_FLOWS), &flows[MAX_FLOWS]);
    culvert_coalescer_flush(&recorder.c);
    g_assert_cmpuint(recorder.written->len, ==, MAX_FLOWS + 1);
}

/* A fragment is kept in order with all between its addresses, and only with those. */
static void test_fragments(void)
{
    static const guint8 fragment6[] = {17, 0, 0, 1, 0, 0, 0, 9};

    for (guint kind = 0; kind < N_KINDS; kind++) {
        Description same = packets_of_kind(kind, FULL), other = same, fragment = same;
        g_auto(Recorder) recorder = {0};

        other.source++;
        fragment.source_port = 99;
        fragment.fragment = 0x2000;
        if (fragment.version == 6) {
            fragment.ip_extra = fragment6;
            fragment.n_ip_extra = sizeof fragment6;
            fragment.first_extra = IPPROTO_FRAGMENT;
        }
        recorder_init(&recorder, ANY_KIND);
        recorder_add(&recorder, &other);
        recorder_add(&recorder, &same);
        recorder_add(&recorder, &fragment);
        g_assert_cmpuint(recorder.written->len, ==, 2);
        written_assert_unchanged(recorder_written(&recorder, 0), &same);
        written_assert_unchanged(recorder_written(&recorder, 1), &fragment);
        culvert_coalescer_flush(&recorder.c);
        written_assert_unchanged(recorder_written(&recorder, 2), &other);
    }
}

/* ---- Frames --------------------------------------------------------------------------------- */

/* With padding, a packet is written by itself and whole, but where it belongs in its flow; others
 * between these addresses stay open. */
static void test_padding(void)
{
    for (guint kind = N_IP_KINDS; kind < N_KINDS; kind++) {
        Description first = packets_of_kind(kind, 3), other = first, second, whole = first;
        g_auto(Recorder) recorder = {0};

        other.source_port++;
        second = next_of(&first, 1);
        second.padding = 6;
        recorder_init(&recorder, ANY_KIND);
        recorder_add(&recorder, &other);
        recorder_add(&recorder, &first);
        recorder_add(&recorder, &second);
        g_assert_cmpuint(recorder.written->len, ==, 2);
        written_assert_unchanged(recorder_written(&recorder, 0), &first);
        written_assert_unchanged(recorder_written(&recorder, 1), &second);
        whole = other;
        other = next_of(&other, 3);
        recorder_add(&recorder, &other);
        culvert_coalescer_flush(&recorder.c);
        whole.size = 6;
        g_assert_cmpuint(recorder.written->len, ==, 3);
        written_assert_whole(recorder_written(&recorder, 2), &whole, 3, 2);
    }
}

/* What carries no IP is written at once, and nothing else is. */
static void test_not_ip(void)
{
    static const guint16 types[] = {0x0806, 0x0026, 0x0800, 0x86dd, 0x8100, 0x88a8, 0x88cc, 0};

    for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
        for (gsize len = 0; len < 64; len++) {
            Description first = packets_of_kind(TCP4 + N_IP_KINDS, FULL), whole = first;
            Description second = next_of(&first, FULL);
            guint8 frame[64];
            g_autoptr(GBytes) bytes = NULL;
            g_auto(Recorder) recorder = {0};

            memset(frame, 0x81, sizeof frame);
            frame[12] = (guint8) (types[i] >> 8);
            frame[13] = (guint8) types[i];
            bytes = g_bytes_new(frame, len);
            recorder_init(&recorder, ANY_KIND);
            recorder_add(&recorder, &first);
            recorder_add_bytes(&recorder, TRUE, frame, len);
            g_assert_cmpuint(recorder.written->len, ==, 1);
            packets_assert_equal(recorder_written(&recorder, 0)->packet, bytes);
            recorder_add(&recorder, &second);
            culvert_coalescer_flush(&recorder.c);
            whole.size = 2 * FULL;
            written_assert_whole(recorder_written(&recorder, 1), &whole, FULL, 2);
        }
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func("/coalesce/" name, func)
    ADD("pairs", test_pairs);
    ADD("differences", test_differences);
    ADD("same-in-both", test_same_in_both);
    ADD("options", test_options);
    ADD("push", test_push);
    ADD("shorter-is-last", test_shorter_is_last);
    ADD("ids", test_ids);
    ADD("tunnels", test_tunnels);
    ADD("kinds", test_kinds);
    ADD("wrong-bytes", test_wrong_bytes);
    ADD("wrong-length", test_wrong_length);
    ADD("transport-checksum-is-not-verified", test_transport_checksum_is_not_verified);
    ADD("limits", test_limits);
    ADD("flows", test_flows);
    ADD("fragments", test_fragments);
    ADD("padding", test_padding);
    ADD("not-ip", test_not_ip);
    return g_test_run();
}
