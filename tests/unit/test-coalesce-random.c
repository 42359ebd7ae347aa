/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-coalesce-random.c: streams of packets at random, and what is written of them, against a
 * model that looks at descriptions of packets and not at their bytes; and both ways through the
 * segmenter.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "coalesced.h"
#include "tun/culvert-segment.h"

#define MAX_AS_ONE 64
#define MAX_FLOWS  8

/* ---- The model ------------------------------------------------------------------------------ */

/* Packets that are written as one. */
typedef struct {
    GArray *all; /* of Description */
} Group;

static void group_free(Group *group)
{
    g_array_unref(group->all);
    g_free(group);
}

static const Description *nth(const Group *group, guint i)
{
    return &g_array_index(group->all, Description, i);
}

typedef struct {
    GPtrArray *open;    /* in the order of their first packets */
    GPtrArray *written; /* in that order */
} Model;

static void model_write(Model *model, guint place)
{
    g_ptr_array_add(model->written, g_ptr_array_steal_index(model->open, place));
}

/* More tags than are looked behind. */
static gboolean is_hidden(const Description *d)
{
    return d->is_frame && d->n_tags > 2;
}

static gboolean is_plain(const Description *d)
{
    return !is_hidden(d) && d->n_ip_extra == 0 &&
           (d->version == 6 || (d->fragment & ~0x4000) == 0) &&
           (d->protocol == IPPROTO_TCP || d->protocol == IPPROTO_UDP);
}

static gboolean is_mergeable(const Description *d)
{
    if (!is_plain(d) || d->size == 0 || (d->is_frame && d->padding > 0))
        return FALSE;
    if (d->protocol == IPPROTO_TCP)
        return (d->flags == TH_ACK || d->flags == (TH_ACK | TH_PUSH)) && d->reserved == 0;
    return !d->no_checksum && d->destination_port != 4789 && d->destination_port != 6081 &&
           d->destination_port != 8472;
}

static gboolean is_between(const Description *a, const Description *b)
{
    return !is_hidden(b) && a->version == b->version && a->source == b->source &&
           a->destination == b->destination;
}

static gboolean has_same_link(const Description *a, const Description *b)
{
    if (a->is_frame != b->is_frame)
        return FALSE;
    return !a->is_frame ||
           (a->station == b->station && a->next_station == b->next_station &&
            a->n_tags == b->n_tags && memcmp(a->tags, b->tags, a->n_tags * sizeof a->tags[0]) == 0);
}

static gboolean is_flow(const Description *a, const Description *b)
{
    return is_between(a, b) && has_same_link(a, b) && a->protocol == b->protocol &&
           a->source_port == b->source_port && a->destination_port == b->destination_port;
}

static gboolean has_same_headers(const Description *a, const Description *b)
{
    if (a->tos != b->tos || a->ttl != b->ttl)
        return FALSE;
    if (a->version == 4 ? a->fragment != b->fragment : a->label != b->label)
        return FALSE;
    return a->protocol == IPPROTO_UDP ||
           (a->acknowledgement == b->acknowledgement && a->window == b->window &&
            a->urgent == b->urgent && a->n_tcp_options == b->n_tcp_options &&
            memcmp(a->tcp_options, b->tcp_options, a->n_tcp_options) == 0);
}

static gboolean ids_go_on(const Group *group, const Description *d)
{
    const Description *first = nth(group, 0);
    guint n = group->all->len;
    gboolean is_fixed =
        (first->fragment & 0x4000) != 0 && first->id == (n > 1 ? nth(group, 1)->id : d->id);

    return d->version == 6 || d->id == (guint16) (first->id + (is_fixed ? 0 : n));
}

static gboolean goes_on(const Group *group, const Description *d)
{
    const Description *first = nth(group, 0), *last = nth(group, group->all->len - 1);
    gsize total = packets_headers(first) - packets_link(first) + d->size;

    for (guint i = 0; i < group->all->len; i++)
        total += nth(group, i)->size;
    return is_mergeable(d) && d->size <= first->size && total <= 65535 &&
           has_same_headers(first, d) && ids_go_on(group, d) &&
           (d->protocol == IPPROTO_UDP || d->sequence == last->sequence + last->size);
}

static void model_open(Model *model, const Description *d)
{
    Group *group = g_new0(Group, 1);

    group->all = g_array_new(FALSE, FALSE, sizeof *d);
    g_array_append_val(group->all, *d);
    if (!is_mergeable(d) || (d->protocol == IPPROTO_TCP && d->flags & TH_PUSH)) {
        g_ptr_array_add(model->written, group);
        return;
    }
    if (model->open->len == MAX_FLOWS)
        model_write(model, 0);
    g_ptr_array_add(model->open, group);
}

static void model_add(Model *model, const Description *d)
{
    for (guint i = 0; i < model->open->len; i++) {
        Group *group = g_ptr_array_index(model->open, i);

        if (!is_plain(d) && is_between(nth(group, 0), d)) {
            model_write(model, i--);
        } else if (is_plain(d) && is_flow(nth(group, 0), d)) {
            if (!goes_on(group, d)) {
                model_write(model, i);
                break;
            }
            g_array_append_val(group->all, *d);
            if (d->size < nth(group, 0)->size ||
                (d->protocol == IPPROTO_TCP && d->flags & TH_PUSH) || group->all->len == MAX_AS_ONE)
                model_write(model, i);
            return;
        }
    }
    model_open(model, d);
}

/* ---- At random ------------------------------------------------------------------------------ */

#define PAYLOAD_SIZE 65536

static guint8 *random_bytes(GRand *rand, gsize len)
{
    guint8 *bytes = g_malloc(len);

    for (gsize i = 0; i < len; i++)
        bytes[i] = (guint8) g_rand_int(rand);
    return bytes;
}

static Description random_flow(GRand *rand, const guint8 *bytes)
{
    static const guint16 ports[] = {53, 443, 4789, 51820};
    Description d = packets_of_kind(packets_pick(rand, N_KINDS), 1 + packets_pick(rand, 1400));

    d.source = (guint8) packets_pick(rand, 3);
    d.destination = (guint8) packets_pick(rand, 3);
    d.source_port = (guint16) packets_pick(rand, 3);
    d.destination_port = ports[packets_pick(rand, 4)];
    d.sequence = g_rand_int(rand);
    d.id = (guint16) g_rand_int(rand);
    d.fragment = packets_pick(rand, 2) == 0 ? 0x4000 : 0;
    d.payload = bytes;
    d.tcp_options = bytes;
    d.n_tcp_options = 4 * packets_pick(rand, 11);
    return d;
}

/* Sometimes something is different; sometimes for good. */
static void disturb(GRand *rand, Description *d, const guint8 *bytes)
{
    static const guint8 options[] = {6, 0, 1, 4, 0, 0, 0, 0};
    guint what = packets_pick(rand, n_differences + 6);

    if (what < n_differences) {
        if (strcmp(differences[what].name, "n_tcp_options") != 0 || d->n_tcp_options < 40)
            packets_flip(d, what);
        return;
    }
    switch (what - n_differences) {
    case 0:
        d->size = packets_pick(rand, 1500);
        break;
    case 1:
        d->flags ^= TH_PUSH;
        break;
    case 2:
        d->fragment = 0x2000 | (guint16) packets_pick(rand, 100);
        break;
    case 3:
        d->tcp_options = bytes + packets_pick(rand, 100);
        break;
    case 4:
        d->protocol = IPPROTO_ICMP;
        break;
    default:
        d->ip_extra = options;
        d->n_ip_extra = sizeof options;
        d->first_extra = IPPROTO_DSTOPTS;
    }
}

static void forward(Description *d, gboolean has_fixed_id)
{
    d->sequence += (guint32) d->size;
    d->id = (guint16) (d->id + (has_fixed_id ? 0 : 1));
}

/* A stream of packets of several flows, interleaved in runs. */
static GArray *random_stream(GRand *rand, const guint8 *bytes)
{
    GArray *stream = g_array_new(FALSE, FALSE, sizeof(Description));
    Description flows[MAX_FLOWS + 3];
    gboolean has_fixed_id[G_N_ELEMENTS(flows)];
    guint n_flows = 1 + packets_pick(rand, G_N_ELEMENTS(flows));
    guint rarity = 5 + packets_pick(rand, 100);

    for (guint i = 0; i < n_flows; i++) {
        flows[i] = random_flow(rand, bytes);
        has_fixed_id[i] = packets_pick(rand, 3) == 0;
    }
    for (guint runs = packets_pick(rand, 30); runs > 0; runs--) {
        guint flow = packets_pick(rand, n_flows);

        for (guint i = packets_pick(rand, packets_pick(rand, 8) == 0 ? 90 : 10); i > 0; i--) {
            Description d = flows[flow];

            d.payload = bytes + packets_pick(rand, PAYLOAD_SIZE - 1500);
            if (packets_pick(rand, rarity) == 0)
                disturb(rand, &d, bytes);
            g_array_append_val(stream, d);
            if (packets_pick(rand, rarity) == 0)
                disturb(rand, &flows[flow], bytes);
            forward(&flows[flow], has_fixed_id[flow]);
        }
    }
    return stream;
}

static void check_group(const Written *written, const Group *group)
{
    Description whole = *nth(group, 0);
    g_autoptr(GByteArray) payload = g_byte_array_new();

    if (group->all->len == 1) {
        written_assert_unchanged(written, &whole);
        return;
    }
    for (guint i = 0; i < group->all->len; i++)
        g_byte_array_append(payload, nth(group, i)->payload, (guint) nth(group, i)->size);
    whole.payload = payload->data;
    whole.size = payload->len;
    whole.flags |= nth(group, group->all->len - 1)->flags;
    written_assert_whole(written, &whole, (guint16) nth(group, 0)->size, group->all->len);
}

static gboolean begin(CulvertSegmenter *s, const Description *d, const struct virtio_net_hdr *vnet,
                      guint8 *packet, gsize len)
{
    if (d->is_frame)
        return culvert_segmenter_begin_frame(s, vnet, packet, len);
    return culvert_segmenter_begin(s, vnet, packet, len);
}

/* Taken apart again, it is the packets that it was made of. */
static void check_apart(const Written *written, const Group *group)
{
    gsize len;
    g_autofree guint8 *packet =
        g_memdup2(g_bytes_get_data(written->packet, &len), g_bytes_get_size(written->packet));
    CulvertSegmenter s;
    guint8 *segment;

    g_assert_true(begin(&s, nth(group, 0), &written->vnet, packet, len));
    g_assert_cmpuint(culvert_segmenter_count(&s), ==, group->all->len);
    for (guint i = 0; i < group->all->len; i++) {
        Description d = *nth(group, i);
        g_autoptr(GBytes) want = NULL, got = NULL;

        /* All the same: then they ascend now. */
        if (group->all->len > 1)
            d.id = (guint16) (nth(group, 0)->id + i);
        want = packets_build(&d);
        len = culvert_segmenter_next(&s, &segment);
        got = g_bytes_new(segment, len);
        packets_assert_equal(got, want);
    }
    g_assert_cmpuint(culvert_segmenter_next(&s, &segment), ==, 0);
}

static guint check_stream(const GArray *stream)
{
    g_auto(Recorder) recorder = {0};
    g_autoptr(GPtrArray) written = g_ptr_array_new_with_free_func((GDestroyNotify) group_free);
    g_autoptr(GPtrArray) open = g_ptr_array_new();
    Model model = {open, written};
    guint merged = 0;

    recorder_init(&recorder, ANY_KIND);
    for (guint i = 0; i < stream->len; i++) {
        const Description *d = &g_array_index(stream, Description, i);

        recorder_add(&recorder, d);
        model_add(&model, d);
        g_assert_cmpuint(recorder.written->len, ==, written->len);
    }
    culvert_coalescer_flush(&recorder.c);
    while (open->len > 0)
        model_write(&model, 0);
    g_assert_cmpuint(recorder.written->len, ==, written->len);
    for (guint i = 0; i < written->len; i++) {
        const Group *group = g_ptr_array_index(written, i);

        check_group(recorder_written(&recorder, i), group);
        check_apart(recorder_written(&recorder, i), group);
        merged += group->all->len > 1;
    }
    return merged;
}

static void test_random(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(6864);
    g_autofree guint8 *bytes = random_bytes(rand, PAYLOAD_SIZE);
    guint merged = 0;

    for (guint round = 0; round < 300; round++) {
        g_autoptr(GArray) stream = random_stream(rand, bytes);

        merged += check_stream(stream);
    }
    g_assert_cmpuint(merged, >, 1000);
}

/* What the segmenter takes apart becomes the same packet again. */
static void test_round_trip(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(4821);
    g_autofree guint8 *bytes = random_bytes(rand, PAYLOAD_SIZE);

    for (guint round = 0; round < 500; round++) {
        Description d = random_flow(rand, bytes);
        guint16 gso_size = (guint16) (d.size + 10), len_max = 64 * 700;
        struct virtio_net_hdr vnet = packets_gso_header(&d, gso_size);
        g_auto(Recorder) recorder = {0};
        g_autofree guint8 *packet = NULL;
        CulvertSegmenter s;
        guint8 *segment;
        gsize len;

        if (d.destination_port == 4789)
            continue;
        d.size = gso_size + 1 + packets_pick(rand, MIN(len_max, 63 * gso_size));
        d.flags |= packets_pick(rand, 2) == 0 ? TH_PUSH : 0;
        packet = packets_without_checksum(&d, &len);
        recorder_init(&recorder, ANY_KIND);
        g_assert_true(begin(&s, &d, &vnet, packet, len));
        while ((len = culvert_segmenter_next(&s, &segment)) > 0)
            recorder_add_bytes(&recorder, d.is_frame, segment, len);
        culvert_coalescer_flush(&recorder.c);
        g_assert_cmpuint(recorder.written->len, ==, 1);
        written_assert_whole(recorder_written(&recorder, 0), &d, gso_size,
                             (guint) ((d.size + gso_size - 1) / gso_size));
    }
}

/* Any bytes, and packets with some bytes wrong or missing: nothing is read beyond them, and all are
 * written, once. */
static void test_garbage(void)
{
    g_autoptr(GRand) rand = g_rand_new_with_seed(2525);
    g_autofree guint8 *bytes = random_bytes(rand, PAYLOAD_SIZE);

    for (guint round = 0; round < 3000; round++) {
        g_auto(Recorder) recorder = {0};
        guint added = 0, count = 0;
        Description d = random_flow(rand, bytes);

        recorder_init(&recorder, ANY_KIND);
        d.size = packets_pick(rand, 40);
        for (; added < 20; added++) {
            g_autoptr(GBytes) whole = packets_build(&d);
            gsize len;
            g_autofree guint8 *data =
                g_memdup2(g_bytes_get_data(whole, &len), g_bytes_get_size(whole));

            if (packets_pick(rand, 4) == 0)
                len = packets_pick(rand, (guint) len + 1);
            if (packets_pick(rand, 4) == 0 && len > 0)
                data[packets_pick(rand, (guint) len)] = (guint8) g_rand_int(rand);
            recorder_add_bytes(&recorder, d.is_frame,
                               packets_pick(rand, 8) == 0 ? bytes + packets_pick(rand, 1000) : data,
                               len);
            forward(&d, FALSE);
        }
        culvert_coalescer_flush(&recorder.c);
        for (guint i = 0; i < recorder.written->len; i++)
            count += recorder_written(&recorder, i)->packets;
        g_assert_cmpuint(count, ==, added);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/coalesce-random/model", test_random);
    g_test_add_func("/coalesce-random/round-trip", test_round_trip);
    g_test_add_func("/coalesce-random/garbage", test_garbage);
    return g_test_run();
}
