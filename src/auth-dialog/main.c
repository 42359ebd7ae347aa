/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: nm-culvert-auth-dialog, which a secret agent (GNOME Shell, nm-applet, nmcli) starts to
 * learn which secrets a connection needs.
 *
 * The connection comes on standard input, the answer goes to standard output, on which nothing else
 * is written. With --external-ui-mode the answer describes a form that the agent shows. There is no
 * window of our own yet: without that option, what is missing is an error.
 *
 * The protocol is that of the agents: nm-secret-agent-simple.c of NetworkManager (nmcli),
 * js/ui/components/networkAgent.js of GNOME Shell, applet-vpn-request.c of nm-applet.
 */
#include "config.h"

#include <glib/gi18n.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "auth-answer.h"
#include "auth-question.h"
#include "profile/culvert-profile.h"

/* How long an agent may take to say that it has read the answer; what others wait, too. */
#define QUIT_SECONDS 20

static gboolean parse_options(AuthQuestion *question, int *argc, char ***argv, GError **error)
{
    g_autoptr(GOptionContext) context = g_option_context_new(NULL);
    const GOptionEntry entries[] = {
        {"uuid", 'u', 0, G_OPTION_ARG_STRING, &question->uuid, N_("UUID of the connection"),
         N_("UUID")},
        {"name", 'n', 0, G_OPTION_ARG_STRING, &question->name, N_("Name of the connection"),
         N_("NAME")},
        {"service", 's', 0, G_OPTION_ARG_STRING, &question->service, N_("Its VPN service"),
         N_("NAME")},
        {"allow-interaction", 'i', 0, G_OPTION_ARG_NONE, &question->may_ask,
         N_("The user may be asked"), NULL},
        {"reprompt", 'r', 0, G_OPTION_ARG_NONE, &question->again,
         N_("The secrets that are there did not do"), NULL},
        {"hint", 't', 0, G_OPTION_ARG_STRING_ARRAY, &question->hints,
         N_("A secret that is wanted, or a message"), N_("HINT")},
        {"external-ui-mode", 0, 0, G_OPTION_ARG_NONE, &question->external_ui,
         N_("Describe a form, which the caller shows"), NULL},
        {NULL},
    };

    g_option_context_add_main_entries(context, entries, GETTEXT_PACKAGE);
    g_option_context_set_summary(context, _("Tells a secret agent of NetworkManager which keys a "
                                            "Culvert connection needs."));
    if (!g_option_context_parse(context, argc, argv, error))
        return FALSE;
    if (!question->uuid || !question->name || !question->service) {
        g_set_error_literal(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                            _("-u, -n and -s are needed: UUID and name of the connection, and its "
                              "VPN service"));
        return FALSE;
    }
    if (g_str_equal(question->service, CULVERT_VPN_SERVICE))
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                _("-s: this program knows the VPN service “%s” only, not “%s”"),
                CULVERT_VPN_SERVICE, question->service);
    return FALSE;
}

/* The agent has read everything once it says QUIT, or is gone. */
static void wait_for_quit(int fd)
{
    gint64 end = g_get_monotonic_time() + QUIT_SECONDS * G_USEC_PER_SEC;
    g_autoptr(GString) line = g_string_new(NULL);
    GPollFD poll_fd = {.fd = fd, .events = G_IO_IN};
    char c;

    while (g_poll(&poll_fd, 1, MAX(0, end - g_get_monotonic_time()) / 1000) > 0 &&
           read(fd, &c, 1) == 1) {
        if (c != '\n') {
            g_string_append_c(line, c);
            continue;
        }
        if (g_str_equal(line->str, "QUIT"))
            return;
        g_string_truncate(line, 0);
    }
}

static const char *find_missing(GPtrArray *fields)
{
    for (guint i = 0; i < fields->len; i++) {
        const AuthField *field = g_ptr_array_index(fields, i);

        if (!field->value[0])
            return field->key;
    }
    return NULL;
}

static gboolean answer(const AuthQuestion *question, GError **error)
{
    g_autoptr(GPtrArray) fields = auth_question_fields(question);
    const char *missing = find_missing(fields);

    if (question->external_ui)
        return auth_answer_form(STDOUT_FILENO, question, fields, error);
    if (!auth_answer_values(STDOUT_FILENO, fields, error))
        return FALSE;
    if (!missing) {
        wait_for_quit(STDIN_FILENO);
        return TRUE;
    }
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                _("The VPN “%s” needs the secret “%s”, and this program has no window yet to ask "
                  "for it: use an agent with one (GNOME Shell, nm-applet), or “nmcli --ask "
                  "connection up”"),
                question->name, missing);
    return FALSE;
}

int main(int argc, char **argv)
{
    g_auto(AuthQuestion) question = {0};
    g_autoptr(GError) error = NULL;

    setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, CULVERT_LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    textdomain(GETTEXT_PACKAGE);
    signal(SIGPIPE, SIG_IGN);
    /* Standard output is for the answer alone, whatever G_MESSAGES_DEBUG says. */
    g_log_writer_default_set_use_stderr(TRUE);

    if (parse_options(&question, &argc, &argv, &error) &&
        auth_question_read(&question, STDIN_FILENO, &error) && answer(&question, &error))
        return EXIT_SUCCESS;
    g_printerr("nm-culvert-auth-dialog: %s\n", error->message);
    return EXIT_FAILURE;
}
