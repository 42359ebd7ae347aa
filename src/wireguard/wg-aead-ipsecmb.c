/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-aead-ipsecmb.c: ChaCha20-Poly1305 for data packets, of Intel's libipsec-mb.
 *
 * Of its interfaces, this uses jobs. For this cipher a job is done when it was submitted, several
 * are not computed side by side: bursts of jobs take as long, and its functions without jobs
 * longer (bench-aead has the figures of this one). Jobs are submitted unchecked, which is quicker
 * by a few per cent: what the check would find is a null pointer or a wrong size of ours.
 *
 * A manager keeps pointers to keys and packets, no copies, so there is nothing to forget; what the
 * computation leaves in registers and on the stack it wipes itself, if built with SAFE_DATA.
 */
#include "wg-aead-private.h"
#include "wg-crypto.h"

#include <intel-ipsec-mb.h>
#include <pthread.h>
#include <string.h>

/* What each manager needs of the processor. */
static const struct {
    void (*init)(IMB_MGR *manager);
    guint64 features;
} managers[] = {
    [WG_IPSEC_MB_SSE] = {init_mb_mgr_sse, IMB_CPUFLAGS_SSE},
#ifdef HAVE_IPSEC_MB_AVX
    [WG_IPSEC_MB_AVX] = {init_mb_mgr_avx, IMB_CPUFLAGS_AVX},
#endif
    [WG_IPSEC_MB_AVX2] = {init_mb_mgr_avx2, IMB_CPUFLAGS_AVX2},
    [WG_IPSEC_MB_AVX512] = {init_mb_mgr_avx512, IMB_CPUFLAGS_AVX512},
};

static gboolean has(const IMB_MGR *manager, guint64 features)
{
    return (manager->features & features) == features;
}

/* Initialising includes the library's self-test, whose failure is an error, too. */
gpointer wg_ipsec_mb_new(WgIpsecMbManager which)
{
    IMB_MGR *manager = alloc_mb_mgr(0); /* it detects features */
    gboolean usable;

    if (!manager)
        return NULL;
    if (which == WG_IPSEC_MB_AUTO) {
        usable = has(manager, IMB_CPUFLAGS_SSE);
        if (usable)
            init_mb_mgr_auto(manager, NULL);
    } else {
        usable = managers[which].init && has(manager, managers[which].features);
        if (usable)
            managers[which].init(manager);
    }
    if (usable && imb_get_errno(manager) == 0 && has(manager, IMB_FEATURE_SAFE_DATA))
        return manager;
    free_mb_mgr(manager);
    return NULL;
}

/* Measured: with AVX-512 and IFMA a packet of 1424 bytes takes 3/4 of wg-aead-evp.c's time; with
 * the AVX2, AVX and SSE managers as long or longer than wg-aead-evp.c takes on a processor without
 * AVX-512. AVX-512 without IFMA is unmeasured. */
static gboolean fast;

static void probe(void)
{
    IMB_MGR *manager = wg_ipsec_mb_new(WG_IPSEC_MB_AUTO);

    if (!manager)
        return;
    fast = manager->used_arch == IMB_ARCH_AVX512 && has(manager, IMB_FEATURE_AVX512_IFMA);
    free_mb_mgr(manager);
}

gboolean wg_ipsec_mb_is_fast(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, probe);
    return fast;
}

static gpointer ipsec_mb_make(void)
{
    return wg_ipsec_mb_new(WG_IPSEC_MB_AUTO);
}

static void ipsec_mb_forget(gpointer state)
{
}

static void ipsec_mb_free(gpointer state)
{
    free_mb_mgr(state);
}

/* A job's fields keep what its predecessor in the ring had; each that the cipher reads is set. */
static void run(IMB_MGR *manager, IMB_CIPHER_DIRECTION direction, const guint8 *key,
                guint64 counter, const guint8 *in, gsize len, guint8 *out, guint8 *tag)
{
    IMB_JOB *job = IMB_GET_NEXT_JOB(manager);
    guint8 iv[WG_AEAD_IV_SIZE] = {0};

    counter = GUINT64_TO_LE(counter);
    memcpy(iv + sizeof iv - sizeof counter, &counter, sizeof counter);
    job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
    job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
    job->cipher_direction = direction;
    job->chain_order = direction == IMB_DIR_ENCRYPT ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
    job->enc_keys = key;
    job->dec_keys = key;
    job->key_len_in_bytes = WG_KEY_SIZE;
    job->iv = iv;
    job->iv_len_in_bytes = sizeof iv;
    job->src = in;
    job->dst = out;
    job->cipher_start_src_offset_in_bytes = 0;
    job->msg_len_to_cipher_in_bytes = len;
    job->hash_start_src_offset_in_bytes = 0;
    job->msg_len_to_hash_in_bytes = len;
    job->u.CHACHA20_POLY1305.aad = NULL;
    job->u.CHACHA20_POLY1305.aad_len_in_bytes = 0;
    job->auth_tag_output = tag;
    job->auth_tag_output_len_in_bytes = WG_TAG_SIZE;

    IMB_JOB *done = IMB_SUBMIT_JOB_NOCHECK(manager);
    /* It is the only one: a later version that collects jobs gives it back here. */
    if (G_UNLIKELY(!done))
        done = IMB_FLUSH_JOB(manager);
    if (G_UNLIKELY(done != job || done->status != IMB_STATUS_COMPLETED))
        g_error("libipsec-mb cannot run ChaCha20-Poly1305 (%s). Set CULVERT_AEAD=evp in the "
                "environment to do without it.",
                imb_get_strerror(imb_get_errno(manager)));
}

static void ipsec_mb_seal(gpointer state, const guint8 *key, guint64 id, guint64 counter,
                          const guint8 *in, gsize len, guint8 *out)
{
    run(state, IMB_DIR_ENCRYPT, key, counter, in, len, out, out + len);
}

static gboolean ipsec_mb_open(gpointer state, const guint8 *key, guint64 id, guint64 counter,
                              const guint8 *in, gsize len, guint8 *out)
{
    guint8 tag[WG_TAG_SIZE];

    run(state, IMB_DIR_DECRYPT, key, counter, in, len, out, tag);
    return wg_equal(tag, in + len, sizeof tag);
}

const WgAeadMethods wg_aead_ipsec_mb = {
    .make = ipsec_mb_make,
    .forget = ipsec_mb_forget,
    .free = ipsec_mb_free,
    .seal = ipsec_mb_seal,
    .open = ipsec_mb_open,
};
