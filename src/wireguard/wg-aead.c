/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-aead.c: sealing and opening: which backend does it.
 */
#include "wg-aead-private.h"

#include <string.h>

struct _WgAead {
    gpointer reference; /* its state; NULL: not used yet */
    WgAeadBackend backend;
    const WgAeadMethods *methods; /* NULL: not made ready yet */
    gpointer state;
};

/* ---- Backends ------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    const WgAeadMethods *methods; /* NULL: not built in */
} backends[] = {
    [WG_AEAD_AUTO] = {"auto", NULL},
    [WG_AEAD_REFERENCE] = {"reference", &wg_aead_reference},
    [WG_AEAD_EVP] = {"evp", &wg_aead_evp},
#ifdef HAVE_IPSEC_MB
    [WG_AEAD_IPSEC_MB] = {"ipsec-mb", &wg_aead_ipsec_mb},
#else
    [WG_AEAD_IPSEC_MB] = {"ipsec-mb", NULL},
#endif
};

/* Written before there are threads, see wg_aead_prefer(). */
static WgAeadBackend preferred = WG_AEAD_AUTO;

const char *wg_aead_backend_name(WgAeadBackend backend)
{
    g_return_val_if_fail((guint) backend < G_N_ELEMENTS(backends), NULL);
    return backends[backend].name;
}

gboolean wg_aead_backend_from_name(const char *name, WgAeadBackend *backend)
{
    for (guint i = 0; i < G_N_ELEMENTS(backends); i++) {
        if (strcmp(backends[i].name, name) == 0) {
            *backend = (WgAeadBackend) i;
            return TRUE;
        }
    }
    return FALSE;
}

gboolean wg_aead_has_backend(WgAeadBackend backend)
{
    g_autoptr(WgAead) aead = wg_aead_new();

    return wg_aead_set_backend(aead, backend);
}

gboolean wg_aead_prefer(WgAeadBackend backend)
{
    if (!wg_aead_has_backend(backend))
        return FALSE;
    preferred = backend;
    return TRUE;
}

static WgAeadBackend fastest(void)
{
#ifdef HAVE_IPSEC_MB
    if (wg_ipsec_mb_is_fast())
        return WG_AEAD_IPSEC_MB;
#endif
    return WG_AEAD_EVP;
}

static void drop_backend(WgAead *aead)
{
    if (aead->methods)
        aead->methods->free(aead->state);
    aead->methods = NULL;
    aead->state = NULL;
}

static gboolean take_backend(WgAead *aead, WgAeadBackend backend, gpointer state)
{
    if (!state)
        return FALSE;
    drop_backend(aead);
    aead->backend = backend;
    aead->methods = backends[backend].methods;
    aead->state = state;
    return TRUE;
}

gboolean wg_aead_set_backend(WgAead *aead, WgAeadBackend backend)
{
    if (backend == WG_AEAD_AUTO)
        backend = fastest();
    return backends[backend].methods &&
           take_backend(aead, backend, backends[backend].methods->make());
}

gboolean wg_aead_set_manager(WgAead *aead, WgIpsecMbManager manager)
{
#ifdef HAVE_IPSEC_MB
    return take_backend(aead, WG_AEAD_IPSEC_MB, wg_ipsec_mb_new(manager));
#else
    return FALSE;
#endif
}

static void make_ready(WgAead *aead)
{
    if (!wg_aead_set_backend(aead, aead->backend))
        wg_aead_set_backend(aead, WG_AEAD_EVP);
}

WgAeadBackend wg_aead_get_backend(WgAead *aead)
{
    if (!aead->methods)
        make_ready(aead);
    return aead->backend;
}

/* ---- The tool ------------------------------------------------------------------------------- */

WgAead *wg_aead_new(void)
{
    WgAead *aead = g_new0(WgAead, 1);

    aead->backend = preferred;
    return aead;
}

void wg_aead_free(WgAead *aead)
{
    if (!aead)
        return;
    drop_backend(aead);
    if (aead->reference)
        wg_aead_reference.free(aead->reference);
    g_free(aead);
}

void wg_aead_forget(WgAead *aead)
{
    if (aead->methods)
        aead->methods->forget(aead->state);
    if (aead->reference)
        wg_aead_reference.forget(aead->reference);
}

static gpointer reference_of(WgAead *aead)
{
    if (!aead->reference)
        aead->reference = wg_aead_reference.make();
    return aead->reference;
}

void wg_aead_seal(WgAead *aead, const guint8 key[WG_KEY_SIZE], guint64 id, guint64 counter,
                  gconstpointer ad, gsize ad_len, const guint8 *in, gsize len, guint8 *out)
{
    g_assert(len <= G_MAXINT);
    if (ad_len > 0) {
        wg_aead_reference_seal(reference_of(aead), key, id, counter, ad, ad_len, in, len, out);
        return;
    }
    if (G_UNLIKELY(!aead->methods))
        make_ready(aead);
    aead->methods->seal(aead->state, key, id, counter, in, len, out);
}

gboolean wg_aead_open(WgAead *aead, const guint8 key[WG_KEY_SIZE], guint64 id, guint64 counter,
                      gconstpointer ad, gsize ad_len, const guint8 *in, gsize len, guint8 *out)
{
    if (len < WG_TAG_SIZE)
        return FALSE;
    len -= WG_TAG_SIZE;
    g_assert(len <= G_MAXINT);
    if (ad_len > 0)
        return wg_aead_reference_open(reference_of(aead), key, id, counter, ad, ad_len, in, len,
                                      out);
    if (G_UNLIKELY(!aead->methods))
        make_ready(aead);
    return aead->methods->open(aead->state, key, id, counter, in, len, out);
}
