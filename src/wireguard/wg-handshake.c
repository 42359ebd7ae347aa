/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-handshake.c: the three kinds of handshake message, made and consumed (paper 5.4.2 to 5.4.4,
 * 5.4.7): from wg_handshake_initiate() and wg_device_receive() down.
 *
 * Nothing is answered, and nothing changes, before a message has proved that its sender knows our
 * public key (mac1), and, for an initiation, that it is a peer. All [control].
 */
#include "wg-private.h"

#include <string.h>

#include "wg-messages.h"

/* TAI64N: 2^62 plus the 10 leap seconds of 1970, then seconds, then nanoseconds. */
#define TAI64_BASE G_GUINT64_CONSTANT(0x400000000000000a)

/* Time stamps in steps of 2^24 ns (17 ms), below the 20 ms that two initiations are apart at least
 * (kernel: noise.c, tai64n_now). */
#define TIMESTAMP_STEP_NS (1u << 24)

/* ---- Time stamps ---------------------------------------------------------------------------- */

static void put_timestamp(guint8 out[WG_TIMESTAMP_SIZE], guint64 seconds, guint32 ns)
{
    seconds = GUINT64_TO_BE(seconds);
    ns = GUINT32_TO_BE(ns);
    memcpy(out, &seconds, sizeof seconds);
    memcpy(out + sizeof seconds, &ns, sizeof ns);
}

static void next_timestamp(const guint8 last[WG_TIMESTAMP_SIZE], guint8 out[WG_TIMESTAMP_SIZE])
{
    guint64 seconds;
    guint32 ns;

    memcpy(&seconds, last, sizeof seconds);
    memcpy(&ns, last + sizeof seconds, sizeof ns);
    seconds = GUINT64_FROM_BE(seconds);
    ns = GUINT32_FROM_BE(ns) + TIMESTAMP_STEP_NS;
    if (ns >= 1000000000u) {
        ns = 0;
        seconds++;
    }
    put_timestamp(out, seconds, ns);
}

void wg_timestamp(guint8 last[WG_TIMESTAMP_SIZE], gint64 real_us, guint8 out[WG_TIMESTAMP_SIZE])
{
    guint32 ns = (guint32) (real_us % G_USEC_PER_SEC) * 1000;

    put_timestamp(out, TAI64_BASE + (guint64) (real_us / G_USEC_PER_SEC),
                  ns & ~(TIMESTAMP_STEP_NS - 1));
    if (memcmp(out, last, WG_TIMESTAMP_SIZE) <= 0)
        next_timestamp(last, out);
    memcpy(last, out, WG_TIMESTAMP_SIZE);
}

/* ---- Sending -------------------------------------------------------------------------------- */

/* Adds the MACs to a message for `peer`, queues it to `endpoint` and tells the timers. */
static void send_message(WgPeer *peer, guint8 *message, gsize len, gint64 now)
{
    WgDevice *device = peer->device;
    WgEndpoint endpoint;

    wg_cookie_add_macs(&peer->cookie, message, len, now);
    peer->handshake_sent = now;
    pthread_mutex_lock(&device->lock);
    endpoint = peer->endpoint;
    wg_timers_authenticated_sent(&peer->timers, now);
    wg_timers_authenticated_traversal(&peer->timers, now);
    peer->stats.tx_bytes += len;
    wg_peer_reschedule_locked(peer);
    pthread_mutex_unlock(&device->lock);
    wg_device_push(device, WG_OUTPUT_DATAGRAM, peer, &endpoint, message, len, WG_HANDSHAKE_TOS);
}

/* Fills the message and the handshake that waits for its answer. */
static gboolean write_initiation(WgPeer *peer, WgHandshake *handshake, WgInitiation *message,
                                 gint64 real_us)
{
    WgDevice *device = peer->device;
    guint8 timestamp[WG_TIMESTAMP_SIZE];
    WgKey ephemeral_public;

    wg_key_generate(&handshake->ephemeral);
    wg_noise_init(&handshake->noise, WG_IDENTIFIER, strlen(WG_IDENTIFIER), &peer->public_key);
    wg_timestamp(device->last_timestamp, real_us, timestamp);
    if (!wg_noise_write_initiation(&handshake->noise, &handshake->ephemeral, &device->public_key,
                                   &peer->secrets->static_shared, &peer->public_key, timestamp,
                                   sizeof timestamp, &ephemeral_public, message->sealed_static,
                                   message->sealed_timestamp))
        return FALSE;
    memcpy(message->ephemeral, &ephemeral_public, sizeof ephemeral_public);
    return TRUE;
}

static gboolean sent_lately(const WgPeer *peer, gint64 now)
{
    return peer->handshake_sent != G_MININT64 && now - peer->handshake_sent < WG_REKEY_TIMEOUT;
}

/* A response counts as sent, too: if it is lost, no retransmission of ours is under way, and what
 * is staged would wait for the next packet. */
static void initiate_later(WgPeer *peer)
{
    pthread_mutex_lock(&peer->device->lock);
    if (peer->staged.length > 0)
        wg_timers_initiation_delayed(&peer->timers, peer->handshake_sent + WG_REKEY_TIMEOUT);
    wg_peer_reschedule_locked(peer);
    pthread_mutex_unlock(&peer->device->lock);
}

void wg_handshake_initiate(WgPeer *peer, WgInitiate why, gint64 now, gint64 real_us)
{
    WgDevice *device = peer->device;
    WgInitiation message = {.type = WG_TYPE_INITIATION};
    WgHandshake *handshake;
    gboolean has_endpoint, running;

    pthread_mutex_lock(&device->lock);
    has_endpoint = wg_peer_has_endpoint_locked(peer);
    running = peer->timers.retransmit != G_MAXINT64;
    pthread_mutex_unlock(&device->lock);
    if (!device->up || !device->private_key || !has_endpoint ||
        wg_key_is_zero(&peer->secrets->static_shared))
        return;
    /* Its retransmissions are the timer's, which counts them: packets that keep coming must not
     * keep us from giving up. */
    if (why != WG_INITIATE_NOW && running)
        return;
    if (why != WG_INITIATE_NOW && sent_lately(peer, now)) {
        initiate_later(peer);
        return;
    }

    handshake = wg_secret_new0(WgHandshake);
    if (!write_initiation(peer, handshake, &message, real_us)) {
        wg_noise_clear(&handshake->noise);
        wg_secret_free(handshake, sizeof *handshake);
        return;
    }
    wg_peer_clear_handshake(peer);
    pthread_mutex_lock(&device->lock);
    handshake->index = wg_index_new_locked(device, peer);
    if (why != WG_INITIATE_AGAIN)
        wg_timers_handshake_wanted(&peer->timers);
    wg_timers_initiation_sent(&peer->timers, now);
    wg_peer_reschedule_locked(peer);
    if (peer->stats.initiations_unanswered++ == 0)
        peer->stats.unanswered_since_us = now;
    pthread_mutex_unlock(&device->lock);
    peer->handshake = handshake;
    message.sender = GUINT32_TO_LE(handshake->index);
    send_message(peer, (guint8 *) &message, sizeof message, now);
}

/* Splits the finished noise state into a new keypair of the peer; the noise state is wiped. */
static void begin_session(WgPeer *peer, WgNoise *noise, guint32 local_index, guint32 remote_index,
                          gboolean initiator, gint64 now)
{
    WgDevice *device = peer->device;
    WgKey *keys = wg_secret_alloc0(2 * sizeof *keys);
    WgKeypair *keypair;

    if (initiator)
        wg_noise_split(noise, &keys[0], &keys[1]);
    else
        wg_noise_split(noise, &keys[1], &keys[0]);
    wg_noise_clear(noise);
    keypair = wg_keypair_new(peer, keys, local_index, remote_index, initiator, now);
    pthread_mutex_lock(&device->lock);
    wg_index_find_locked(device, local_index)->keypair = keypair;
    wg_keypairs_add_locked(peer, keypair);
    wg_timers_session_derived(&peer->timers, now);
    wg_peer_reschedule_locked(peer);
    pthread_mutex_unlock(&device->lock);
    /* A key of before may just have been dropped. */
    wg_device_keys_gone(device, peer);
}

/* An authentic handshake message came from there. */
static void heard(WgPeer *peer, const WgEndpoint *source, gsize len, gint64 now)
{
    pthread_mutex_lock(&peer->device->lock);
    wg_peer_set_endpoint_locked(peer, source);
    peer->stats.rx_bytes += len;
    wg_timers_authenticated_received(&peer->timers, now);
    wg_timers_authenticated_traversal(&peer->timers, now);
    wg_peer_reschedule_locked(peer);
    pthread_mutex_unlock(&peer->device->lock);
}

/* ---- Responder ------------------------------------------------------------------------------ */

/* Who is it, and is it new? NULL: nobody we answer. */
static WgPeer *consume_initiation(WgDevice *device, const WgInitiation *message, WgNoise *noise,
                                  gint64 now)
{
    guint8 timestamp[WG_TIMESTAMP_SIZE];
    WgKey ephemeral, initiator;
    WgPeer *peer;

    memcpy(&ephemeral, message->ephemeral, sizeof ephemeral);
    wg_noise_init(noise, WG_IDENTIFIER, strlen(WG_IDENTIFIER), &device->public_key);
    if (!wg_noise_read_initiation_static(noise, device->private_key, &ephemeral,
                                         message->sealed_static, &initiator))
        return NULL;
    peer = wg_device_find_peer(device, &initiator);
    if (!peer || wg_key_is_zero(&peer->secrets->static_shared))
        return NULL;
    if (!wg_noise_read_initiation_payload(noise, &peer->secrets->static_shared,
                                          message->sealed_timestamp,
                                          sizeof message->sealed_timestamp, timestamp))
        return NULL;
    if (memcmp(timestamp, peer->latest_timestamp, sizeof timestamp) <= 0)
        return NULL;
    if (peer->initiation_received != G_MININT64 &&
        now - peer->initiation_received < WG_INITIATION_INTERVAL)
        return NULL;
    memcpy(peer->latest_timestamp, timestamp, sizeof timestamp);
    peer->initiation_received = now;
    return peer;
}

static void respond(WgPeer *peer, WgNoise *noise, const WgInitiation *initiation, gint64 now)
{
    WgDevice *device = peer->device;
    WgResponse message = {.type = WG_TYPE_RESPONSE, .receiver = initiation->sender};
    WgKey *ephemeral = wg_secret_new0(WgKey);
    WgKey remote, ephemeral_public;
    guint32 index;
    gboolean written;

    memcpy(&remote, initiation->ephemeral, sizeof remote);
    wg_key_generate(ephemeral);
    written = wg_noise_write_response(noise, ephemeral, &remote, &peer->public_key,
                                      &peer->secrets->preshared, NULL, 0, &ephemeral_public,
                                      message.sealed_nothing);
    wg_secret_key_free(ephemeral);
    if (!written)
        return;
    memcpy(message.ephemeral, &ephemeral_public, sizeof ephemeral_public);
    pthread_mutex_lock(&device->lock);
    index = wg_index_new_locked(device, peer);
    peer->stats.responses_unconfirmed++;
    pthread_mutex_unlock(&device->lock);
    message.sender = GUINT32_TO_LE(index);
    begin_session(peer, noise, index, GUINT32_FROM_LE(initiation->sender), FALSE, now);
    send_message(peer, (guint8 *) &message, sizeof message, now);
}

static gboolean receive_initiation(WgDevice *device, const guint8 *datagram,
                                   const WgEndpoint *source, gint64 now)
{
    WgInitiation message;
    WgNoise *noise = wg_secret_new0(WgNoise);
    WgPeer *peer;

    memcpy(&message, datagram, sizeof message);
    peer = consume_initiation(device, &message, noise, now);
    if (peer) {
        heard(peer, source, sizeof message, now);
        respond(peer, noise, &message, now);
    }
    wg_secret_free(noise, sizeof *noise);
    return peer != NULL;
}

/* ---- Initiator ------------------------------------------------------------------------------ */

static WgPeer *find_by_index(WgDevice *device, guint32 index, gboolean handshake_only)
{
    WgIndexEntry *entry;
    WgPeer *peer = NULL;

    pthread_mutex_lock(&device->lock);
    entry = wg_index_find_locked(device, index);
    if (entry && !(handshake_only && entry->keypair))
        peer = entry->peer;
    pthread_mutex_unlock(&device->lock);
    return peer;
}

static gboolean read_response(WgPeer *peer, const WgResponse *message, WgNoise *noise)
{
    WgKey ephemeral;
    guint8 nothing[1];

    /* On a copy: a forged response must not spoil the handshake for the real one. */
    *noise = peer->handshake->noise;
    memcpy(&ephemeral, message->ephemeral, sizeof ephemeral);
    return wg_noise_read_response(noise, &peer->handshake->ephemeral, peer->device->private_key,
                                  &ephemeral, &peer->secrets->preshared, message->sealed_nothing,
                                  sizeof message->sealed_nothing, nothing);
}

/* The peer has answered: the new session is in use from here on. */
static void complete_as_initiator(WgPeer *peer, gint64 now)
{
    WgDevice *device = peer->device;
    WgHandshake *handshake = g_steal_pointer(&peer->handshake);

    /* The index lives on as the keypair's. */
    wg_noise_clear(&handshake->noise);
    wg_secret_free(handshake, sizeof *handshake);
    pthread_mutex_lock(&device->lock);
    wg_timers_handshake_complete(&peer->timers, now);
    peer->stats.handshakes++;
    peer->stats.initiations_unanswered = 0;
    peer->stats.responses_unconfirmed = 0;
    peer->stats.last_handshake_us = now;
    peer->stats.last_handshake_real_us = now + device->real_offset;
    wg_peer_need_locked(peer, WG_WORK_SESSION | WG_WORK_KEEPALIVE);
    pthread_mutex_unlock(&device->lock);
}

static gboolean receive_response(WgDevice *device, const guint8 *datagram, const WgEndpoint *source,
                                 gint64 now)
{
    WgResponse message;
    WgNoise *noise;
    WgPeer *peer;
    gboolean authentic;

    memcpy(&message, datagram, sizeof message);
    peer = find_by_index(device, GUINT32_FROM_LE(message.receiver), TRUE);
    if (!peer || !peer->handshake)
        return FALSE;
    noise = wg_secret_new0(WgNoise);
    authentic = read_response(peer, &message, noise);
    if (authentic) {
        heard(peer, source, sizeof message, now);
        begin_session(peer, noise, peer->handshake->index, GUINT32_FROM_LE(message.sender), TRUE,
                      now);
        complete_as_initiator(peer, now);
    }
    wg_secret_free(noise, sizeof *noise);
    return authentic;
}

static gboolean receive_cookie_reply(WgDevice *device, const guint8 *datagram, gint64 now)
{
    WgCookieReply message;
    WgPeer *peer;

    memcpy(&message, datagram, sizeof message);
    peer = find_by_index(device, GUINT32_FROM_LE(message.receiver), FALSE);
    return peer && wg_cookie_consume(&peer->cookie, datagram, now);
}

/* ---- Entrance ------------------------------------------------------------------------------- */

static void count(WgDevice *device, guint64 *counter)
{
    pthread_mutex_lock(&device->lock);
    (*counter)++;
    pthread_mutex_unlock(&device->lock);
}

/* The message type, or 0 if type, reserved bits and length do not fit together. */
static guint8 checked_type(const guint8 *datagram, gsize len)
{
    static const gsize sizes[] = {
        [WG_TYPE_INITIATION] = WG_INITIATION_SIZE,
        [WG_TYPE_RESPONSE] = WG_RESPONSE_SIZE,
        [WG_TYPE_COOKIE_REPLY] = WG_COOKIE_REPLY_SIZE,
    };
    guint8 type;

    if (len < 4 || datagram[1] != 0 || datagram[2] != 0 || datagram[3] != 0)
        return 0;
    type = datagram[0];
    if (type < WG_TYPE_INITIATION || type > WG_TYPE_COOKIE_REPLY || len != sizes[type])
        return 0;
    return type;
}

/* Whether the sender of an initiation or response has proved enough to be worth a Diffie-Hellman;
 * under load, a stranger gets a cookie instead. */
static gboolean admit(WgDevice *device, const guint8 *datagram, gsize len, const WgEndpoint *source,
                      gboolean under_load, gint64 now)
{
    guint8 reply[WG_COOKIE_REPLY_SIZE];

    if (!device->private_key || !wg_cookie_check_mac1(&device->checker, datagram, len)) {
        count(device, &device->stats.dropped_mac1);
        return FALSE;
    }
    if (!under_load)
        return TRUE;
    if (wg_cookie_check(&device->checker, datagram, len, source, now) != WG_MAC_WITH_COOKIE) {
        wg_cookie_reply(&device->checker, datagram, len, source, now, reply);
        wg_device_push(device, WG_OUTPUT_DATAGRAM, NULL, source, reply, sizeof reply, 0);
        return FALSE;
    }
    if (!wg_ratelimiter_allow(device->limiter, source, now)) {
        count(device, &device->stats.dropped_ratelimited);
        return FALSE;
    }
    return TRUE;
}

void wg_device_receive(WgDevice *device, const guint8 *datagram, gsize len,
                       const WgEndpoint *source, gboolean under_load, gint64 now)
{
    guint8 type = checked_type(datagram, len);
    gboolean consumed;

    device->last_now = now;
    if (type == 0 || !device->up) {
        count(device, &device->stats.dropped_malformed);
        return;
    }
    if (type == WG_TYPE_COOKIE_REPLY) {
        consumed = receive_cookie_reply(device, datagram, now);
    } else {
        if (!admit(device, datagram, len, source, under_load, now))
            return;
        if (type == WG_TYPE_INITIATION)
            consumed = receive_initiation(device, datagram, source, now);
        else
            consumed = receive_response(device, datagram, source, now);
    }
    if (!consumed)
        count(device, &device->stats.dropped_handshake);
}
