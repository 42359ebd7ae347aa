/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth-question.h: what an agent of NetworkManager wants to know, and which secrets that is about.
 */
#pragma once

#include <NetworkManager.h>

#include "profile/culvert-options.h"

G_BEGIN_DECLS

/* The command line, and what came on standard input. */
typedef struct {
    char *uuid;
    char *name;    /* the connection's */
    char *service; /* its VPN service */
    char **hints;  /* secrets that are wanted, or a message: or NULL */
    gboolean may_ask;
    gboolean again;       /* what there is did not do */
    gboolean external_ui; /* the agent has a window of its own */
    NMSettingVpn *setting;
} AuthQuestion;

/* A secret of the answer. */
typedef struct {
    char *key;
    char *label;                 /* for people */
    const CulvertOption *option; /* what it has to be */
    char *value;                 /* NULL: missing; secret memory, see auth_field_set_value() */
    gboolean ask;                /* the user is to be asked */
} AuthField;

/* auth_question_read: reads vpn.data and vpn.secrets from a file descriptor, up to the line DONE
 * and no further: QUIT follows later. */
gboolean auth_question_read(AuthQuestion *question, int fd, GError **error);
void auth_question_clear(AuthQuestion *question); /* wipes the secrets */

/* auth_question_fields: each secret of the connection, with what the agent has of it. Freeing them
 * wipes them. (transfer full) (element-type AuthField) */
GPtrArray *auth_question_fields(const AuthQuestion *question);

/* auth_field_set_value: keeps a copy of a text; NULL and "" are nothing. */
void auth_field_set_value(AuthField *field, const char *value);

/* auth_question_choose: which of the fields to ask for: those that are missing or hinted at, and
 * all of them if none is missing and what there is did not do. FALSE: none. */
gboolean auth_question_choose(const AuthQuestion *question, GPtrArray *fields);

/* auth_question_text: what is wanted, in a sentence. (transfer full) */
char *auth_question_text(const AuthQuestion *question);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(AuthQuestion, auth_question_clear)

G_END_DECLS
