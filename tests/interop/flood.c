/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * flood.c: initiations from many sources at a steady rate, as a crowd of strangers sends them who
 * know the receiver's public key:
 *
 *     flood NETWORK SOURCES TARGET PORT KEY RATE SECONDS plain|cookies
 *
 * NETWORK: the first of SOURCES addresses, each of which gets a socket; they have to be local here.
 * RATE: messages a second. "plain": first MAC alone, as from forged addresses. "cookies": each
 * source answers with its cookie, as who owns the address can. Every message is whole: it costs the
 * receiver all that a stranger's can, up to the look-up of a key that is no peer's.
 *
 * Says "flooding" with the first message. Ends with a line: how many were sent and answered.
 */
#include "wireguard/wg-cookie.h"
#include "wireguard/wg-messages.h"
#include "wireguard/wg-noise.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

/* Messages are sent so many times a second, an equal share each time. */
#define TURNS_PER_SECOND 500

typedef struct {
    int fd;
    WgCookieMaker maker;
} Source;

typedef struct {
    Source *sources;
    guint n_sources;
    gboolean cookies;
    WgInitiation message;
    guint next;
    guint64 sent, answered;
} Flood;

static void fail(const char *what)
{
    fprintf(stderr, "flood: %s: %s\n", what, g_strerror(errno));
    exit(1);
}

static struct sockaddr_in address_of(const char *text, guint16 port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = g_htons(port)};

    if (inet_pton(AF_INET, text, &address.sin_addr) != 1)
        fail(text);
    return address;
}

static int open_socket(struct sockaddr_in local, guint number, const struct sockaddr_in *target)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    number += g_ntohl(local.sin_addr.s_addr);
    local.sin_addr.s_addr = g_htonl(number);
    if (fd < 0 || bind(fd, (struct sockaddr *) &local, sizeof local) < 0 ||
        connect(fd, (const struct sockaddr *) target, sizeof *target) < 0)
        fail("cannot open a socket for each source");
    return fd;
}

static void open_sources(Flood *flood, const char *network, const struct sockaddr_in *target,
                         const WgKey *key)
{
    struct sockaddr_in local = address_of(network, 0);
    struct rlimit files = {.rlim_cur = flood->n_sources + 64, .rlim_max = flood->n_sources + 64};

    if (setrlimit(RLIMIT_NOFILE, &files) < 0)
        fail("cannot have that many sockets");
    flood->sources = g_new0(Source, flood->n_sources);
    for (guint i = 0; i < flood->n_sources; i++) {
        flood->sources[i].fd = open_socket(local, i, target);
        wg_cookie_maker_init(&flood->sources[i].maker, key);
    }
}

/* The first message of somebody whom the receiver does not know. Its MACs come later. */
static void write_initiation(WgInitiation *message, const WgKey *receiver)
{
    const guint8 timestamp[WG_TIMESTAMP_SIZE] = {0};
    WgKey own, own_public, ephemeral, ephemeral_public, shared;
    WgNoise noise;

    wg_key_generate(&own);
    wg_key_generate(&ephemeral);
    wg_key_public(&own_public, &own);
    if (!wg_dh(shared.bytes, &own, receiver))
        fail("KEY");
    memset(message, 0, sizeof *message);
    message->type = WG_TYPE_INITIATION;
    wg_noise_init(&noise, WG_IDENTIFIER, strlen(WG_IDENTIFIER), receiver);
    wg_noise_write_initiation(&noise, &ephemeral, &own_public, &shared, receiver, timestamp,
                              sizeof timestamp, &ephemeral_public, message->sealed_static,
                              message->sealed_timestamp);
    wg_noise_clear(&noise);
    memcpy(message->ephemeral, &ephemeral_public, sizeof message->ephemeral);
}

static void take_replies(Flood *flood, Source *source, gint64 now)
{
    guint8 reply[WG_COOKIE_REPLY_SIZE];

    while (recv(source->fd, reply, sizeof reply, 0) == WG_COOKIE_REPLY_SIZE) {
        flood->answered++;
        if (flood->cookies)
            wg_cookie_consume(&source->maker, reply, now);
    }
}

static void send_one(Flood *flood, gint64 now)
{
    Source *source = &flood->sources[flood->next++ % flood->n_sources];

    take_replies(flood, source, now);
    flood->message.sender = flood->next;
    wg_cookie_add_macs(&source->maker, (guint8 *) &flood->message, sizeof flood->message, now);
    if (send(source->fd, &flood->message, sizeof flood->message, 0) > 0)
        flood->sent++;
}

/* In equal shares; what could not be sent in time is not made up for. */
static void run(Flood *flood, guint rate, double seconds)
{
    const guint turns = (guint) (seconds * TURNS_PER_SECOND);
    struct timespec next;

    clock_gettime(CLOCK_MONOTONIC, &next);
    printf("flooding\n");
    fflush(stdout);
    for (guint turn = 0; turn < turns; turn++) {
        gint64 now = g_get_monotonic_time();

        for (guint i = 0; i < rate / TURNS_PER_SECOND; i++)
            send_one(flood, now);
        next.tv_nsec += 1000000000 / TURNS_PER_SECOND;
        if (next.tv_nsec >= 1000000000) {
            next.tv_nsec -= 1000000000;
            next.tv_sec++;
        }
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &next, NULL);
    }
}

int main(int argc, char **argv)
{
    Flood flood = {0};
    struct sockaddr_in target;
    WgKey key;

    if (argc != 9) {
        fprintf(stderr, "usage: flood NETWORK SOURCES TARGET PORT KEY RATE SECONDS "
                        "plain|cookies\n");
        return 2;
    }
    flood.n_sources = (guint) atoi(argv[2]);
    target = address_of(argv[3], (guint16) atoi(argv[4]));
    if (!wg_key_from_base64(&key, argv[5]))
        fail("KEY");
    flood.cookies = strcmp(argv[8], "cookies") == 0;
    open_sources(&flood, argv[1], &target, &key);
    write_initiation(&flood.message, &key);
    run(&flood, (guint) atoi(argv[6]), atof(argv[7]));
    printf("%" G_GUINT64_FORMAT " sent, %" G_GUINT64_FORMAT " answered\n", flood.sent,
           flood.answered);
    return 0;
}
