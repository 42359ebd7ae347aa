/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-hash.h: FNV-1a (draft-eastlake-fnv, 2 and 5: 32 bits), a hash of few instructions.
 * Whoever can choose the data can choose collisions: for places where these do no harm.
 */
#pragma once

#include <glib.h>

/* What a hash begins with; another number makes another hash. */
#define CULVERT_HASH_BEGIN 2166136261u
#define CULVERT_HASH_PRIME 16777619u

/* culvert_hash: `value`, that of what came before, goes on over the `len` bytes of `data`. */
static inline guint32 culvert_hash(guint32 value, gconstpointer data, gsize len)
{
    const guint8 *bytes = data;

    for (gsize i = 0; i < len; i++)
        value = (value ^ bytes[i]) * CULVERT_HASH_PRIME;
    return value;
}
