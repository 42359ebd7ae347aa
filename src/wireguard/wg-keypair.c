/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-keypair.c: sessions' keys and the three slots they live in.
 *
 * previous: still received with, for packets under way during a change of keys.
 * current:  sent and received with.
 * next:     agreed on as responder, not confirmed yet: received with, not sent with.
 */
#include "wg-private.h"

/* Two ids a keypair, one for each direction; 0 is reserved. */
static guint64 next_id(void)
{
    static _Atomic guint64 last;

    return atomic_fetch_add_explicit(&last, 2, memory_order_relaxed) + 2;
}

WgKeypair *wg_keypair_new(WgPeer *peer, WgKey *keys, guint32 local_index, guint32 remote_index,
                          gboolean initiator, gint64 now)
{
    WgKeypair *keypair = g_new0(WgKeypair, 1);

    atomic_init(&keypair->refs, 1);
    keypair->id = next_id();
    keypair->keys = keys;
    keypair->local_index = local_index;
    keypair->remote_index = remote_index;
    keypair->born = now;
    keypair->initiator = initiator;
    keypair->peer = peer;
    keypair->may_send = TRUE;
    wg_replay_init(&keypair->replay);
    return keypair;
}

WgKeypair *wg_keypair_ref(WgKeypair *keypair)
{
    atomic_fetch_add_explicit(&keypair->refs, 1, memory_order_relaxed);
    return keypair;
}

void wg_keypair_unref(WgKeypair *keypair)
{
    if (atomic_fetch_sub_explicit(&keypair->refs, 1, memory_order_acq_rel) != 1)
        return;
    wg_secret_free(keypair->keys, 2 * sizeof(WgKey));
    g_free(keypair);
}

gboolean wg_keypair_can_send_locked(const WgKeypair *keypair, guint n, gint64 now)
{
    return keypair->may_send && now - keypair->born < WG_REJECT_AFTER_TIME &&
           keypair->next_counter < WG_REJECT_AFTER_MESSAGES - n;
}

gboolean wg_keypair_can_receive_locked(const WgKeypair *keypair, gint64 now)
{
    return now - keypair->born < WG_REJECT_AFTER_TIME &&
           keypair->replay.greatest < WG_REJECT_AFTER_MESSAGES;
}

static void drop_locked(WgKeypair **slot)
{
    WgKeypair *keypair = g_steal_pointer(slot);

    if (!keypair)
        return;
    wg_index_remove_locked(keypair->peer->device, keypair->local_index);
    wg_keypair_unref(keypair);
}

void wg_keypairs_add_locked(WgPeer *peer, WgKeypair *keypair)
{
    if (!keypair->initiator) {
        drop_locked(&peer->next);
        drop_locked(&peer->previous);
        peer->next = keypair;
        return;
    }
    /* As initiator we know that the responder has the key. An unconfirmed `next` is kept for
     * receiving, since the other side may have begun to use it. */
    drop_locked(&peer->previous);
    if (peer->next) {
        peer->previous = g_steal_pointer(&peer->next);
        drop_locked(&peer->current);
    } else {
        peer->previous = g_steal_pointer(&peer->current);
    }
    peer->current = keypair;
}

gboolean wg_keypairs_confirm_locked(WgPeer *peer, WgKeypair *keypair)
{
    if (keypair != peer->next)
        return FALSE;
    drop_locked(&peer->previous);
    peer->previous = g_steal_pointer(&peer->current);
    peer->current = g_steal_pointer(&peer->next);
    return TRUE;
}

void wg_keypairs_clear_locked(WgPeer *peer)
{
    drop_locked(&peer->previous);
    drop_locked(&peer->current);
    drop_locked(&peer->next);
}

void wg_keypairs_expire_locked(WgPeer *peer)
{
    if (peer->current)
        peer->current->may_send = FALSE;
    if (peer->next)
        peer->next->may_send = FALSE;
}
