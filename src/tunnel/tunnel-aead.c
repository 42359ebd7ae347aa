/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-aead.c: which library encrypts packets, as asked for in the environment.
 */
#include "culvert-tunnel.h"

gboolean culvert_tunnel_prefer_aead(const char *name)
{
    WgAeadBackend wanted = WG_AEAD_AUTO;
    gboolean ok = !name || wg_aead_backend_from_name(name, &wanted);
    g_autoptr(WgAead) aead = NULL;

    if (ok && wanted == WG_AEAD_REFERENCE) /* for tests of its own */
        ok = FALSE;
    if (!ok)
        g_warning("The environment variable CULVERT_AEAD is “%s”, and should be evp, ipsec-mb or "
                  "auto: taken as auto",
                  name);
    else if (!wg_aead_prefer(wanted)) {
        g_warning("The environment variable CULVERT_AEAD is “%s”, which this build or this "
                  "processor does not have: taken as auto",
                  name);
        ok = FALSE;
    }
    aead = wg_aead_new();
    g_debug("Packets are encrypted by %s", wg_aead_backend_name(wg_aead_get_backend(aead)));
    return ok;
}
