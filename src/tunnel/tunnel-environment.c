/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-environment.c: how packets are moved when somebody debugs or measures: environment
 * variables of the programs, described in culvert(8).
 */
#include "tunnel-private.h"

#include <string.h>

#include "tun/tun-steering.h"
#include "wireguard/wg-crypto.h"

TunnelDefaults tunnel_defaults = {.offload = TRUE, .workers = 0};

static void complain(const char *name, const char *value, const char *expected)
{
    g_warning("Ignoring %s=%s: it can be %s", name, value, expected);
}

static void read_offload(void)
{
    const char *value = g_getenv("CULVERT_OFFLOAD");

    if (!value)
        return;
    if (strcmp(value, "yes") != 0 && strcmp(value, "no") != 0) {
        complain("CULVERT_OFFLOAD", value, "“yes” or “no”");
        return;
    }
    culvert_tunnel_set_default_offload(strcmp(value, "yes") == 0);
}

static void read_queues(void)
{
    const char *value = g_getenv("CULVERT_QUEUES");
    guint64 queues;

    if (!value)
        return;
    if (!g_ascii_string_to_unsigned(value, 10, 1, TUNNEL_WORKERS_MAX, &queues, NULL)) {
        complain("CULVERT_QUEUES", value, "1 to " G_STRINGIFY(TUNNEL_WORKERS_MAX));
        return;
    }
    tunnel_defaults.workers = (guint) queues;
    g_message("Using %u queues of the device, as CULVERT_QUEUES says", tunnel_defaults.workers);
}

/* WG_AEAD_REFERENCE is for tests of its own. */
static void read_aead(void)
{
    const char *value = g_getenv("CULVERT_AEAD");
    WgAeadBackend backend = WG_AEAD_AUTO;
    g_autoptr(WgAead) aead = NULL;

    if (value && (!wg_aead_backend_from_name(value, &backend) || backend == WG_AEAD_REFERENCE))
        complain("CULVERT_AEAD", value, "“auto”, “evp” or “ipsec-mb”");
    else if (!wg_aead_prefer(backend))
        g_warning("Ignoring CULVERT_AEAD=%s: this build or this processor does not have it", value);
    aead = wg_aead_new();
    g_debug("Packets are encrypted by %s", wg_aead_backend_name(wg_aead_get_backend(aead)));
}

void culvert_tunnel_read_environment(void)
{
    read_offload();
    read_queues();
    read_aead();
    /* What a daemon may not do any more when it is confined: libcrypto reads its configuration at
     * first use, and several queues need a program in the kernel. */
    wg_crypto_prepare();
    culvert_tun_prepare_steering();
}

void culvert_tunnel_set_default_offload(gboolean offload)
{
    tunnel_defaults.offload = offload;
    if (!offload)
        g_message("Doing without the kernel's offloads, as asked for");
}
