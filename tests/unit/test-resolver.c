/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-resolver.c: the service's side of the resolver, of which the other side is here, and does
 * what it must not.
 */
#include "config.h"

#include <gio/gio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/culvert-account.h"
#include "sandbox/culvert-resolver.h"
#include "sandbox/resolver-private.h"
#include "sandbox/sandbox-private.h"
#include "wait-until.h"

#define QUESTIONS 20

static int process = -1;

/* In place of the real one. */
gboolean sandbox_start_process(const char *name, void (*run)(int socket), int *fd, GError **error)
{
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), ==, 0);
    process = fds[0];
    *fd = fds[1];
    return TRUE;
}

void resolver_process_run(int fd)
{
    g_assert_not_reached();
}

static guint n_warnings;

static GLogWriterOutput count_warnings(GLogLevelFlags level, const GLogField *fields,
                                       gsize n_fields, gpointer user_data)
{
    g_assert_false(level & (G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_ERROR));
    n_warnings += level & G_LOG_LEVEL_WARNING ? 1 : 0;
    return G_LOG_WRITER_HANDLED;
}

static guint n_failed;
static guint n_failed_again;

static void on_name_again(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, &error));
    g_assert_nonnull(error);
    n_failed_again++;
}

/* Asks at once for another. */
static void on_name(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, &error));
    g_assert_error(error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_INTERNAL);
    n_failed++;
    g_resolver_lookup_by_name_async(G_RESOLVER(source), "again.test", NULL, on_name_again, NULL);
}

static void on_account(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    guint32 id;

    g_assert_false(culvert_account_find_finish(result, &id, &error));
    g_assert_error(error, G_IO_ERROR, G_IO_ERROR_BROKEN_PIPE);
    n_failed_again++;
}

/* Who waits is told, and nobody waits for an answer that would not be read. */
static void test_nonsense(void)
{
    GResolver *resolver;
    g_autoptr(GError) error = NULL;
    ResolverAnswer answer = {.id = 1, .n_addresses = RESOLVER_ADDRESSES_MAX + 1};

    g_assert_true(culvert_resolver_start(&error));
    g_assert_no_error(error);
    resolver = g_resolver_get_default();
    for (guint i = 0; i < QUESTIONS; i++) {
        g_autofree char *name = g_strdup_printf("gw%u.test", i);

        g_resolver_lookup_by_name_async(resolver, name, NULL, on_name, NULL);
    }
    g_assert_cmpint(send(process, &answer, sizeof answer, 0), ==, sizeof answer);
    wait_until(n_failed == QUESTIONS && n_failed_again == QUESTIONS);
    g_assert_cmpuint(n_warnings, ==, 1);
    culvert_account_find_async(CULVERT_ACCOUNT_USER, "somebody", NULL, on_account, NULL);
    wait_until(n_failed_again == QUESTIONS + 1);
    g_object_unref(resolver);
    close(process);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_log_set_always_fatal(G_LOG_FATAL_MASK); /* the warning belongs to it */
    g_log_set_writer_func(count_warnings, NULL, NULL);
    g_test_add_func("/resolver/nonsense", test_nonsense);
    return g_test_run();
}
