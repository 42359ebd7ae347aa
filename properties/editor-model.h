/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-model.h: what the editors edit: the fields of the form as texts, which come from a
 * connection or a .conf, are checked as they are typed, and go back to a connection.
 *
 * No widgets. What is valid is decided in src/profile/; here stands what a field is called, which
 * setting it is, and what is shared between two fields: the first of a peer's endpoints is the
 * gateway, the others are further ones; the allowed IPs are all traffic or a list.
 *
 * Texts of secrets are in secret memory. Plain data: one thread at a time.
 */
#pragma once

#include <NetworkManager.h>

G_BEGIN_DECLS

/* In the order of the form. */
typedef enum {
    CULVERT_FIELD_ENDPOINT, /* of a peer: */
    CULVERT_FIELD_PUBLIC_KEY,
    CULVERT_FIELD_ALLOWED_IPS,
    CULVERT_FIELD_FURTHER_ENDPOINTS,
    CULVERT_FIELD_PRESHARED_KEY,
    CULVERT_FIELD_KEEPALIVE,
    CULVERT_FIELD_PRIVATE_KEY, /* of this computer: */
    CULVERT_FIELD_ADDRESS,
    CULVERT_FIELD_DNS,
    CULVERT_FIELD_MTU,
    CULVERT_FIELD_LISTEN_PORT,
    CULVERT_FIELD_FWMARK,
    CULVERT_FIELD_KILL_SWITCH,
    CULVERT_FIELD_DEVICE_TYPE,
    CULVERT_FIELD_TAP_ADDRESS, /* of an Ethernet device only: */
    CULVERT_FIELD_VXLAN_ID,
    CULVERT_FIELD_VXLAN_REMOTE,
    CULVERT_FIELD_BRIDGE,
    CULVERT_FIELD_INTERFACE_NAME, /* of any device again: */
    CULVERT_FIELD_TUN_USER,       /* of these there are no widgets: they are kept */
    CULVERT_FIELD_TUN_GROUP,
    CULVERT_N_FIELDS,
} CulvertField;

typedef struct _CulvertEditorModel CulvertEditorModel;

/* culvert_field_is_peer: whether each peer has the field; the others exist once. */
gboolean culvert_field_is_peer(CulvertField field);

/* culvert_field_is_ethernet: whether the field is only for Ethernet devices. */
gboolean culvert_field_is_ethernet(CulvertField field);

/* culvert_field_name: what widgets of the field are named after. */
const char *culvert_field_name(CulvertField field);

/* culvert_field_help: one line about the field, translated; NULL: none. */
const char *culvert_field_help(CulvertField field);

/* culvert_editor_model_new: an empty form with one peer, whose keys the user's agent will keep. */
CulvertEditorModel *culvert_editor_model_new(void);
void culvert_editor_model_free(CulvertEditorModel *model);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CulvertEditorModel, culvert_editor_model_free)

/* culvert_editor_model_load: fills the form. Values with faults are shown as they are. */
void culvert_editor_model_load(CulvertEditorModel *model, NMConnection *connection);

/* culvert_editor_model_load_conf: fills the form with a .conf; `name` is how messages call it.
 * Where the private key is kept stays as chosen, unless the file says something else. FALSE: the
 * form is as before. `warnings` gets the lines to show to the user, maybe none. */
gboolean culvert_editor_model_load_conf(CulvertEditorModel *model, const char *text, gsize length,
                                        const char *name, GPtrArray **warnings, GError **error);

/* culvert_editor_model_load_file: the same for a local file. Blocks. */
gboolean culvert_editor_model_load_file(CulvertEditorModel *model, const char *path,
                                        GPtrArray **warnings, GError **error);

/* culvert_editor_model_save: writes the form into the connection, which need not be the one that
 * was loaded; what is not in the form stays as it is. FALSE: the form has a fault, the connection
 * is as before, and the message is one sentence for a tooltip. */
gboolean culvert_editor_model_save(CulvertEditorModel *model, NMConnection *connection,
                                   GError **error);

/* ---- Fields. `peer` is an index, and does not matter for fields that are not a peer's. */

/* culvert_editor_model_get: never NULL; valid until the field is set. */
const char *culvert_editor_model_get(CulvertEditorModel *model, CulvertField field, guint peer);

/* culvert_editor_model_set: white space around the text does not count. */
void culvert_editor_model_set(CulvertEditorModel *model, CulvertField field, guint peer,
                              const char *text);

/* culvert_editor_model_get_fault: what is wrong with what stands in the field, as a sentence; NULL:
 * nothing, or it is only missing, which a form that is being filled in need not hear. (transfer
 * full) */
char *culvert_editor_model_get_fault(CulvertEditorModel *model, CulvertField field, guint peer);

/* culvert_editor_model_get_flags: who keeps the secret in the field, PRIVATE_KEY or
 * PRESHARED_KEY. */
NMSettingSecretFlags culvert_editor_model_get_flags(CulvertEditorModel *model, CulvertField field,
                                                    guint peer);
void culvert_editor_model_set_flags(CulvertEditorModel *model, CulvertField field, guint peer,
                                    NMSettingSecretFlags flags);

/* culvert_editor_model_get_all_traffic: whether everything goes to this peer. If not, the field
 * ALLOWED_IPS says what does; its text stays while all traffic does. */
gboolean culvert_editor_model_get_all_traffic(CulvertEditorModel *model, guint peer);
void culvert_editor_model_set_all_traffic(CulvertEditorModel *model, guint peer, gboolean all);

/* culvert_editor_model_is_ethernet: whether the device is to carry Ethernet frames. If not, the
 * fields that are only for that do not count; their texts stay. */
gboolean culvert_editor_model_is_ethernet(CulvertEditorModel *model);

/* ---- Peers: at least one. */

guint culvert_editor_model_get_n_peers(CulvertEditorModel *model);
void culvert_editor_model_add_peer(CulvertEditorModel *model);
void culvert_editor_model_remove_peer(CulvertEditorModel *model, guint peer);

/* ---- This computer's keys */

void culvert_editor_model_generate_key(CulvertEditorModel *model);

/* culvert_editor_model_get_public_key: of the private key in the form, in base64; NULL: there is
 * none. (transfer full) */
char *culvert_editor_model_get_public_key(CulvertEditorModel *model);

G_END_DECLS
