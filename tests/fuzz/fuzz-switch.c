/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-switch.c: frames from the input, each after three bytes: the port where it comes in, how
 * much later than the last one, and its length. No frame goes back where it came from, or to a port
 * that there is not; none from a remote goes anywhere in the name of this machine.
 */
#include "fuzz.h"

#include <netinet/in.h>
#include <string.h>

#include "tun/culvert-switch.h"

#define REMOTES 3

static const guint8 own[ETHERNET_ADDRESS_SIZE] = {2, 0, 0, 0, 0, 1};

static gboolean is_claim(guint from, const guint8 *frame, gsize len)
{
    return from != CULVERT_SWITCH_DEVICE && len >= ETHERNET_HEADER_SIZE &&
           memcmp(frame + ETHERNET_SOURCE, own, sizeof own) == 0;
}

static void check(CulvertSwitch *ports, guint from, const CulvertForwarding *to)
{
    guint port = 0, n = 0;
    CulvertVtep vtep;

    g_assert_false(to->to_device && from == CULVERT_SWITCH_DEVICE);
    if (to->remote != 0) {
        g_assert_cmpuint(to->remote, !=, from);
        g_assert_cmpuint(culvert_switch_find_remote(ports, &to->vtep), ==, to->remote);
        g_assert_false(to->flood);
    }
    if (from > REMOTES)
        g_assert_false(to->to_device || to->flood || to->remote != 0);
    while (culvert_switch_next_remote(ports, &port, from, &vtep)) {
        g_assert_cmpuint(port, !=, from);
        n++;
    }
    g_assert_cmpuint(n, ==, from == 0 || from > REMOTES ? REMOTES : REMOTES - 1);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize size)
{
    static const CulvertVtep remotes[REMOTES] = {
        {AF_INET, {10, 0, 0, 2}}, {AF_INET, {10, 0, 0, 3}}, {AF_INET, {10, 0, 0, 4}}};
    g_autoptr(CulvertSwitch) ports = culvert_switch_new();
    gint64 now = 0;

    culvert_switch_set_remotes(ports, remotes, REMOTES);
    culvert_switch_set_own(ports, own, 1);
    while (size >= 3) {
        guint from = data[0] % (REMOTES + 2);
        gsize len = MIN(data[2], size - 3);
        /* of just the size, for tools to see what goes beyond */
        g_autofree guint8 *frame = g_memdup2(data + 3, len);
        CulvertForwarding to;

        now += data[1] * G_USEC_PER_SEC;
        culvert_switch_forward(ports, from, frame, len, 1, now, &to);
        check(ports, from, &to);
        if (is_claim(from, frame, len))
            g_assert_false(to.to_device || to.flood || to.remote != 0);
        data += 3 + len;
        size -= 3 + len;
    }
    return 0;
}
