/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-datagram.c: two peers and an attacker between them who does what the input says: holds their
 * datagrams back, sends them again, late, changed, cut or longer, invents others, and lets time
 * pass. Nothing is delivered that was not sent, nothing twice; and once the attacker has gone the
 * two are served.
 *
 * The input is a list of commands, each a byte and its arguments; see step().
 */
#include "fuzz.h"

#include <string.h>

#include "../unit/wire.h"

/* Commands of one input; more would only take longer. */
#define STEPS_MAX 200

/* Attempts of the two to reach each other afterwards, each as long as a retransmission takes. */
#define ATTEMPTS 8

#define COMMANDS 8

/* Packets the input can have sent; tags beyond are for the attempts. */
#define PACKETS_MAX (G_MAXUINT8 - 2 * ATTEMPTS)

const FuzzSeed fuzz_seeds[] = {
    /* A session, traffic, each datagram again, a rekey, all of it again. */
    FUZZ_SEED("\0\1\1\2\2\1\0\2\1\2\2\2\3\0\0\0\1\4\175\0\1\2\3\2\4\0\1"),
    /* The same while both are under load; changed, cut and longer ones. */
    FUZZ_SEED("\6\3\0\1\3\0\2\6\2\1\1\4\0\1\0\100\1\4\1\1\4\2\7\377\5\0\40\5\1\220\0\2\1\1"),
    /* Datagrams of the attacker's own, of each type. */
    FUZZ_SEED("\7\0\224\1\0\0\0abcdefgh\7\1\134\2\0\0\0abcdefgh\7\0\100\3\0\0\0ab\7\1\40\4\0\0\0"),
    /* Held back, and let go in the other order. */
    FUZZ_SEED("\6\4\0\1\1\2\0\3\1\4\6\0\2\5\2\4\2\3\2\2\2\1\2\0\3\1"),
    {NULL, 0},
};

typedef struct {
    const guint8 *data;
    gsize len;
    Net *net;
    Host *a, *b;
    guint8 tag;         /* of the next packet: each is sent once */
    gboolean seen[256]; /* tags that were delivered */
} Attack;

static guint next(Attack *attack)
{
    if (attack->len == 0)
        return 0;
    attack->len--;
    return *attack->data++;
}

/* Every byte is as packet_new() made it, and no tag comes twice. */
static void check_delivered(Attack *attack, Host *host)
{
    gboolean at_b = host == attack->b;

    for (guint i = 0; i < host->delivered->len; i++) {
        const GByteArray *packet = g_ptr_array_index(host->delivered, i);
        guint8 tag = packet->data[packet->len - 1];
        g_autoptr(GByteArray) sent = packet_new(at_b ? "10.0.0.1" : "10.0.0.2",
                                                at_b ? "10.0.0.2" : "10.0.0.1", packet->len, tag);

        g_assert_cmpmem(packet->data, packet->len, sent->data, sent->len);
        g_assert_cmpuint(tag, <, attack->tag);
        g_assert_false(attack->seen[tag]);
        attack->seen[tag] = TRUE;
    }
    g_ptr_array_set_size(host->delivered, 0);
}

static void send_packet(Attack *attack, Host *host)
{
    gboolean from_a = host == attack->a;

    host_send(host, from_a ? "10.0.0.1" : "10.0.0.2", from_a ? "10.0.0.2" : "10.0.0.1",
              64 + attack->tag, attack->tag);
    attack->tag++;
}

/* A datagram that has been on the wire, or NULL. */
static const Datagram *any_datagram(Attack *attack)
{
    guint number = next(attack);

    return attack->net->log->len == 0
               ? NULL
               : g_ptr_array_index(attack->net->log, number % attack->net->log->len);
}

/* From somewhere else if it is not the original: who is not authentic must not move an endpoint. */
static void send_changed(Attack *attack, const Datagram *original, gsize len, guint position,
                         guint8 mask)
{
    WgEndpoint elsewhere = endpoint_of("203.0.113.9", 9);
    g_autofree guint8 *data = g_malloc0(MAX(len, original->len));

    memcpy(data, original->data, original->len);
    if (len > 0)
        data[position % len] ^= mask;
    if (len == original->len && memcmp(data, original->data, len) == 0)
        return;
    net_inject(attack->net, &elsewhere, &original->to, data, len);
}

static void send_invented(Attack *attack)
{
    Host *victim = next(attack) % 2 ? attack->b : attack->a;
    WgEndpoint elsewhere = endpoint_of("2001:db8::9", 9);
    gsize len = next(attack), given = MIN(len, attack->len);
    g_autofree guint8 *data = g_malloc0(len + 1);

    memcpy(data, attack->data, given);
    attack->data += given;
    attack->len -= given;
    net_inject(attack->net, &elsewhere, &victim->address, data, len);
}

static void set_network(Attack *attack, guint how)
{
    attack->a->under_load = how & 1;
    attack->b->under_load = how & 2;
    net_set_filter(attack->net, how & 4 ? drop_all : NULL, NULL);
}

static void step(Attack *attack)
{
    const Datagram *datagram;
    guint command = next(attack) % COMMANDS;
    guint argument;

    switch (command) {
    case 0:
    case 1:
        if (attack->tag < PACKETS_MAX)
            send_packet(attack, command == 0 ? attack->a : attack->b);
        return;
    case 2:
        if ((datagram = any_datagram(attack)))
            net_replay(attack->net, datagram);
        return;
    case 3: /* tenths of seconds, squared: up to 108 minutes */
        argument = next(attack);
        net_advance(attack->net, (gint64) argument * argument * WG_SECOND / 10);
        return;
    case 4:
        if ((datagram = any_datagram(attack))) {
            argument = next(attack);
            send_changed(attack, datagram, datagram->len, argument,
                         (guint8) (1u << next(attack) % 8));
        }
        return;
    case 5:
        if ((datagram = any_datagram(attack))) {
            argument = next(attack);
            send_changed(attack, datagram, argument * (gsize) (1 + next(attack)), 0, 0);
        }
        return;
    case 6:
        set_network(attack, next(attack));
        return;
    default:
        send_invented(attack);
    }
}

/* Whether a packet each way arrives. */
static gboolean served(Attack *attack)
{
    guint8 first = attack->tag;

    send_packet(attack, attack->b);
    send_packet(attack, attack->a);
    net_advance(attack->net, WG_REKEY_TIMEOUT + WG_SECOND);
    check_delivered(attack, attack->a);
    check_delivered(attack, attack->b);
    return attack->seen[first] && attack->seen[first + 1];
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize len)
{
    PAIR;
    Attack attack = {.data = data, .len = len, .net = net, .a = a, .b = b};
    gboolean well = FALSE;

    for (guint i = 0; i < STEPS_MAX && attack.len > 0; i++) {
        step(&attack);
        check_delivered(&attack, a);
        check_delivered(&attack, b);
    }
    set_network(&attack, 0);
    /* The second MAC is not part of what is authentic: changed, in a message that never arrived,
     * it leads an endpoint astray, as anybody can who forwards it from elsewhere. One who knows
     * better puts both right. */
    wg_peer_set_endpoint(host_peer(a, b), &b->address);
    for (guint i = 0; i < ATTEMPTS && !well; i++)
        well = served(&attack);
    g_assert_true(well);
    return 0;
}
