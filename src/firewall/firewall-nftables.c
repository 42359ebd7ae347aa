/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * firewall-nftables.c: hands text to the kernel, through libnftables.
 */
#include "config.h"

#include "culvert-firewall.h"

#include <glib/gi18n-lib.h>

#ifdef HAVE_NFTABLES

#include <nftables/libnftables.h>
#include <string.h>

struct _CulvertFirewall {
    struct nft_ctx *nft;
};

/* libnftables says what is wrong on the first line, and shows where on the next ones. */
static void set_error(CulvertFirewall *self, GError **error)
{
    const char *said = nft_ctx_get_error_buffer(self->nft);
    g_autofree char *first = g_strndup(said, strcspn(said, "\n"));

    g_set_error(error, G_IO_ERROR, G_IO_ERROR_FAILED, _("nftables refuses Culvert's rules: %s"),
                first);
}

gboolean culvert_firewall_run(CulvertFirewall *self, const char *text, GError **error)
{
    if (nft_run_cmd_from_buffer(self->nft, text) == 0)
        return TRUE;
    set_error(self, error);
    return FALSE;
}

char *culvert_firewall_list(CulvertFirewall *self, GError **error)
{
    /* What an earlier command printed is not this one's answer. */
    nft_ctx_get_output_buffer(self->nft);
    if (!culvert_firewall_run(self, "list tables inet", error))
        return NULL;
    return g_strdup(nft_ctx_get_output_buffer(self->nft));
}

CulvertFirewall *culvert_firewall_open(GError **error)
{
    g_autoptr(CulvertFirewall) self = g_new0(CulvertFirewall, 1);
    g_autofree char *listing = NULL;
    g_autoptr(GError) cause = NULL;

    self->nft = nft_ctx_new(NFT_CTX_DEFAULT);
    if (self->nft) {
        nft_ctx_buffer_output(self->nft);
        nft_ctx_buffer_error(self->nft);
        listing = culvert_firewall_list(self, &cause);
    }
    if (listing)
        return g_steal_pointer(&self);
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                _("the kernel's firewall, nftables, cannot be used: %s"),
                cause ? cause->message : _("no memory"));
    return NULL;
}

void culvert_firewall_close(CulvertFirewall *self)
{
    if (self && self->nft)
        nft_ctx_free(self->nft);
    g_free(self);
}

#else

CulvertFirewall *culvert_firewall_open(GError **error)
{
    g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                        _("Culvert was built without libnftables, which this needs"));
    return NULL;
}

void culvert_firewall_close(CulvertFirewall *self)
{
}

gboolean culvert_firewall_run(CulvertFirewall *self, const char *text, GError **error)
{
    g_return_val_if_reached(FALSE);
}

char *culvert_firewall_list(CulvertFirewall *self, GError **error)
{
    g_return_val_if_reached(NULL);
}

#endif
