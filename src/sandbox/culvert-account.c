/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-account.c: accounts of the name service switch (getpwnam_r(3), getgrnam_r(3)).
 */
#include "config.h"

#include "account-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <grp.h>
#include <pwd.h>

/* An entry without a group's many members is a few hundred bytes long; where directories have
 * larger ones, more is asked for, up to this. */
#define ENTRY_SIZE_FIRST 1024
#define ENTRY_SIZE_MAX   (16u << 20)

/* The number after that is -1, which means none. */
#define ID_MAX (G_MAXUINT32 - 1)

/* ---- Looking -------------------------------------------------------------------------------- */

static int look_up_with(CulvertAccountKind kind, const char *name, char *buffer, gsize size,
                        guint32 *id)
{
    struct passwd user, *found_user = NULL;
    struct group group, *found_group = NULL;
    int status;

    if (kind == CULVERT_ACCOUNT_USER) {
        status = getpwnam_r(name, &user, buffer, size, &found_user);
        if (found_user)
            *id = found_user->pw_uid;
    } else {
        status = getgrnam_r(name, &group, buffer, size, &found_group);
        if (found_group)
            *id = found_group->gr_gid;
    }
    if (found_user || found_group)
        return 0;
    /* Not there: different systems say so in different ways, see getpwnam(3), RETURN VALUE. */
    return status == 0 || status == ESRCH || status == EBADF || status == EPERM ? ENOENT : status;
}

int culvert_account_look_up(CulvertAccountKind kind, const char *name, guint32 *id)
{
    int status = ERANGE;

    for (gsize size = ENTRY_SIZE_FIRST; status == ERANGE && size <= ENTRY_SIZE_MAX; size *= 4) {
        g_autofree char *buffer = g_malloc(size);

        status = look_up_with(kind, name, buffer, size, id);
    }
    return status;
}

gboolean culvert_account_parse_number(const char *text, guint32 *id)
{
    guint64 number;

    if (!g_ascii_string_to_unsigned(text, 10, 0, ID_MAX, &number, NULL))
        return FALSE;
    *id = (guint32) number;
    return TRUE;
}

/* ---- Asking --------------------------------------------------------------------------------- */

static void question_free(gpointer data)
{
    AccountQuestion *question = data;

    g_free(question->name);
    g_free(question);
}

const AccountQuestion *account_question(GTask *task)
{
    return g_task_get_task_data(task);
}

gboolean account_is_task(GTask *task)
{
    return g_task_get_source_tag(task) == culvert_account_find_async;
}

void account_return(GTask *task, int status, guint32 id)
{
    const AccountQuestion *question = account_question(task);
    gboolean is_user = question->kind == CULVERT_ACCOUNT_USER;

    if (status == 0)
        g_task_return_int(task, id);
    else if (status == ENOENT)
        g_task_return_new_error(task, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                                is_user ? _("there is no user “%s” on this computer")
                                        : _("there is no group “%s” on this computer"),
                                question->name);
    else
        g_task_return_new_error(task, G_IO_ERROR, g_io_error_from_errno(status),
                                is_user ? _("the user “%s” could not be looked up: %s")
                                        : _("the group “%s” could not be looked up: %s"),
                                question->name, g_strerror(status));
}

static void look_up_thread(GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
    const AccountQuestion *question = data;
    guint32 id = 0;
    int status = culvert_account_look_up(question->kind, question->name, &id);

    account_return(task, status, id);
}

void culvert_account_find_async(CulvertAccountKind kind, const char *name,
                                GCancellable *cancellable, GAsyncReadyCallback callback,
                                gpointer data)
{
    g_autoptr(GTask) task = g_task_new(NULL, cancellable, callback, data);
    AccountQuestion *question = g_new0(AccountQuestion, 1);
    guint32 number;

    question->kind = kind;
    question->name = g_strdup(name);
    g_task_set_task_data(task, question, question_free);
    g_task_set_source_tag(task, culvert_account_find_async);
    if (culvert_account_parse_number(name, &number))
        account_return(task, 0, number);
    else if (!resolver_ask_account(task))
        g_task_run_in_thread(task, look_up_thread);
}

gboolean culvert_account_find_finish(GAsyncResult *result, guint32 *id, GError **error)
{
    g_autoptr(GError) fault = NULL;
    gssize number = g_task_propagate_int(G_TASK(result), &fault);

    if (fault) {
        g_propagate_error(error, g_steal_pointer(&fault));
        return FALSE;
    }
    *id = (guint32) number;
    return TRUE;
}
