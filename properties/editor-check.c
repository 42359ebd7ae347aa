/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-check.c: what is wrong with a form. The table of options judges each field by itself, and
 * then the rules between settings the whole; here stands only what a form knows more about: whether
 * a key may be missing.
 */
#include "config.h"

#include <glib/gi18n-lib.h>

#include "editor-model-private.h"
#include "profile/culvert-check.h"

typedef struct {
    CulvertField field;
    guint peer;
    CulvertProfileError code;
    char *text;
} Fault;

static void fault_free(gpointer data)
{
    Fault *fault = data;

    g_free(fault->text);
    g_free(fault);
}

static void add_fault(GPtrArray *faults, CulvertField field, guint peer, CulvertProfileError code,
                      const char *text)
{
    Fault *fault = g_new0(Fault, 1);

    fault->field = field;
    fault->peer = peer;
    fault->code = code;
    fault->text = g_strdup(text);
    g_ptr_array_add(faults, fault);
}

/* ---- Field by field ------------------------------------------------------------------------- */

static gboolean parse_field(const CulvertSection *section, CulvertField field, gpointer object,
                            GError **error)
{
    const CulvertOption *option = culvert_field_option(field);
    const char *text = field == CULVERT_FIELD_ALLOWED_IPS ? culvert_section_get_networks(section)
                                                          : culvert_section_get(section, field);

    if (text[0] == '\0')
        return TRUE;
    if (!option)
        return nm_utils_is_valid_iface_name(text, error);
    return culvert_option_parse(option, text, object, error);
}

/* Fields of Ethernet do not count for other devices, where they are not shown. */
static void read_section(CulvertEditorModel *model, const CulvertSection *section, guint peer,
                         gpointer object, GPtrArray *faults)
{
    gboolean is_ethernet = culvert_editor_model_is_ethernet(model);

    for (guint i = 0; i < CULVERT_N_FIELDS; i++) {
        g_autoptr(GError) error = NULL;

        if (culvert_field_is_peer(i) != (section != model->own) ||
            (culvert_field_is_ethernet(i) && !is_ethernet))
            continue;
        if (!parse_field(section, i, object, &error))
            add_fault(faults, i, peer, CULVERT_PROFILE_ERROR_INVALID, error->message);
    }
}

/* With an empty field the peer has no preshared key, unless an agent is to have it, or ask for
 * it. */
static NMSettingSecretFlags preshared_key_flags(CulvertEditorModel *model, guint index)
{
    const CulvertSection *section = g_ptr_array_index(model->peers, index);
    NMSettingSecretFlags flags =
        culvert_editor_model_get_flags(model, CULVERT_FIELD_PRESHARED_KEY, index);
    gboolean is_somewhere = section->has_flags && flags != NM_SETTING_SECRET_FLAG_NONE;

    if (culvert_section_get(section, CULVERT_FIELD_PRESHARED_KEY)[0])
        return flags;
    if (flags & NM_SETTING_SECRET_FLAG_NOT_SAVED)
        return flags;
    return is_somewhere && !section->had_secret ? flags : NM_SETTING_SECRET_FLAG_NOT_REQUIRED;
}

static void check_private_key(CulvertEditorModel *model, GPtrArray *faults)
{
    if (model->own->flags == NM_SETTING_SECRET_FLAG_NONE &&
        !culvert_section_get(model->own, CULVERT_FIELD_PRIVATE_KEY)[0])
        add_fault(faults, CULVERT_FIELD_PRIVATE_KEY, 0, CULVERT_PROFILE_ERROR_MISSING,
                  _("this key is missing: paste it, generate one, or choose to be asked for it"));
}

static CulvertProfile *read_form(CulvertEditorModel *model, GPtrArray *faults)
{
    CulvertProfile *profile = culvert_profile_new();

    for (guint i = 0; i < model->peers->len; i++) {
        CulvertProfilePeer *peer = culvert_profile_add_peer(profile);

        read_section(model, g_ptr_array_index(model->peers, i), i, peer, faults);
        peer->preshared_key_flags = preshared_key_flags(model, i);
    }
    read_section(model, model->own, 0, profile, faults);
    profile->private_key_flags = model->own->flags;
    return profile;
}

/* ---- The whole ------------------------------------------------------------------------------ */

static void check_rules(const CulvertProfile *profile, GPtrArray *faults)
{
    CulvertBlame blame;
    CulvertField field;

    if (culvert_profile_check_addresses(profile, &blame) &&
        culvert_profile_check(profile, &blame) && culvert_profile_check_complete(profile, &blame))
        return;
    if (culvert_field_of_option(blame.option->key, &field))
        add_fault(faults, field, blame.peer, blame.code, blame.fault);
}

static CulvertProfile *examine(CulvertEditorModel *model, GPtrArray *faults)
{
    CulvertProfile *profile = read_form(model, faults);

    if (faults->len == 0)
        check_rules(profile, faults);
    if (faults->len == 0)
        check_private_key(model, faults);
    return profile;
}

CulvertProfile *culvert_editor_model_check(CulvertEditorModel *model, GError **error)
{
    g_autoptr(GPtrArray) faults = g_ptr_array_new_with_free_func(fault_free);
    g_autoptr(CulvertProfile) profile = examine(model, faults);
    const Fault *first;
    const char *title;

    if (faults->len == 0)
        return g_steal_pointer(&profile);
    first = g_ptr_array_index(faults, 0);
    title = _(culvert_field_info(first->field)->title);
    if (first->peer == 0)
        g_set_error(error, CULVERT_PROFILE_ERROR, first->code, "%s: %s", title, first->text);
    else
        /* Translators: the number of a peer, a field of the form, and what is wrong with it */
        g_set_error(error, CULVERT_PROFILE_ERROR, first->code, _("Peer %u, %s: %s"),
                    first->peer + 1, title, first->text);
    return NULL;
}

/* The faults are half sentences about a value; by itself one begins with a capital letter. */
static char *as_sentence(const char *half)
{
    g_autoptr(GString) sentence = g_string_new(NULL);

    g_string_append_unichar(sentence, g_unichar_toupper(g_utf8_get_char(half)));
    g_string_append(sentence, g_utf8_next_char(half));
    return g_string_free(g_steal_pointer(&sentence), FALSE);
}

char *culvert_editor_model_get_fault(CulvertEditorModel *model, CulvertField field, guint peer)
{
    g_autoptr(GPtrArray) faults = g_ptr_array_new_with_free_func(fault_free);
    g_autoptr(CulvertProfile) profile = examine(model, faults);

    for (guint i = 0; i < faults->len; i++) {
        const Fault *fault = g_ptr_array_index(faults, i);

        if (fault->field == field && (!culvert_field_is_peer(field) || fault->peer == peer) &&
            fault->code == CULVERT_PROFILE_ERROR_INVALID)
            return as_sentence(fault->text);
    }
    return NULL;
}
