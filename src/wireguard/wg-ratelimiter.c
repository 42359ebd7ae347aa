/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-ratelimiter.c: token buckets by source address.
 *
 * A bucket's content is the time it has saved up: a message costs a twentieth of a second. Buckets
 * are in a list by last use, so that those idle for long enough to be full, and with that no
 * different from a new one, fall off its head.
 */
#include "wg-ratelimiter.h"

#include <pthread.h>
#include <string.h>

#define COST (WG_SECOND / WG_RATELIMIT_PER_SECOND)
#define FULL (WG_RATELIMIT_BURST * COST)

/* A bucket unused for this long is forgotten (kernel: ratelimiter.c). Not less than FULL. */
#define IDLE WG_SECOND

typedef struct {
    guint64 network; /* an IPv4 address, or the first half of an IPv6 one */
    guint32 family;
} Source;

typedef struct {
    Source source;
    gint64 tokens;
    gint64 used;
    GList link; /* data is the bucket */
} Bucket;

struct _WgRatelimiter {
    GHashTable *buckets; /* of Bucket, by its first member */
    GQueue by_use;       /* the longest unused first */
};

/* Strangers choose their addresses, so the hash must not be foreseeable: universal hashing by
 * multiplication (Dietzfelbinger 1996) with random factors. */
static struct {
    guint64 factor[3];
    guint64 addend;
} salt;

static guint source_hash(gconstpointer key)
{
    const Source *source = key;
    guint64 sum = salt.addend;

    sum += salt.factor[0] * (guint32) source->network;
    sum += salt.factor[1] * (source->network >> 32);
    sum += salt.factor[2] * source->family;
    return (guint) (sum >> 32);
}

static gboolean source_equal(gconstpointer a, gconstpointer b)
{
    const Source *left = a;
    const Source *right = b;

    return left->network == right->network && left->family == right->family;
}

static void make_salt(void)
{
    wg_random(&salt, sizeof salt);
}

WgRatelimiter *wg_ratelimiter_new(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    WgRatelimiter *limiter = g_new0(WgRatelimiter, 1);

    pthread_once(&once, make_salt);
    limiter->buckets = g_hash_table_new_full(source_hash, source_equal, NULL, g_free);
    g_queue_init(&limiter->by_use);
    return limiter;
}

void wg_ratelimiter_free(WgRatelimiter *limiter)
{
    if (!limiter)
        return;
    g_hash_table_unref(limiter->buckets);
    g_free(limiter);
}

static Source source_of(const WgEndpoint *endpoint)
{
    Source source = {0, endpoint->remote.any.sa_family};

    if (source.family == AF_INET6)
        memcpy(&source.network, &endpoint->remote.in6.sin6_addr, sizeof source.network);
    else
        source.network = endpoint->remote.in4.sin_addr.s_addr;
    return source;
}

static void forget_idle(WgRatelimiter *limiter, gint64 now)
{
    Bucket *bucket;

    while ((bucket = g_queue_peek_head(&limiter->by_use)) && now - bucket->used > IDLE) {
        g_queue_unlink(&limiter->by_use, &bucket->link);
        g_hash_table_remove(limiter->buckets, &bucket->source);
    }
}

static Bucket *add_bucket(WgRatelimiter *limiter, const Source *source, gint64 now)
{
    Bucket *bucket = g_new0(Bucket, 1);

    bucket->source = *source;
    bucket->tokens = FULL;
    bucket->used = now;
    bucket->link.data = bucket;
    g_hash_table_insert(limiter->buckets, &bucket->source, bucket);
    g_queue_push_tail_link(&limiter->by_use, &bucket->link);
    return bucket;
}

gboolean wg_ratelimiter_allow(WgRatelimiter *limiter, const WgEndpoint *source, gint64 now)
{
    Source key = source_of(source);
    Bucket *bucket;

    forget_idle(limiter, now);
    bucket = g_hash_table_lookup(limiter->buckets, &key);
    if (!bucket) {
        if (g_hash_table_size(limiter->buckets) >= WG_RATELIMIT_MAX_ENTRIES)
            return FALSE;
        bucket = add_bucket(limiter, &key, now);
    }

    bucket->tokens = MIN(bucket->tokens + MAX(now - bucket->used, 0), FULL);
    bucket->used = now;
    g_queue_unlink(&limiter->by_use, &bucket->link);
    g_queue_push_tail_link(&limiter->by_use, &bucket->link);
    if (bucket->tokens < COST)
        return FALSE;
    bucket->tokens -= COST;
    return TRUE;
}

guint wg_ratelimiter_size(const WgRatelimiter *limiter)
{
    return g_hash_table_size(limiter->buckets);
}
