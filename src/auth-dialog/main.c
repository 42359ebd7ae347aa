/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c: nm-culvert-auth-dialog, which a secret agent (GNOME Shell, nm-applet, nmcli) starts to
 * learn which secrets a connection needs.
 *
 * The connection comes on standard input, the answer goes to standard output, on which nothing else
 * is written. With --external-ui-mode the answer describes a form that the agent shows; otherwise
 * it has the secrets, and a window of our own asks for those that are missing. What agents keep in
 * the keyring is looked for in both cases.
 *
 * The protocol is that of the agents: nm-secret-agent-simple.c of NetworkManager (nmcli),
 * js/ui/components/networkAgent.js of GNOME Shell, applet-vpn-request.c of nm-applet.
 */
#include "config.h"

#include <fcntl.h>
#include <glib/gi18n.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "auth-agent.h"
#include "auth-answer.h"
#include "auth-keyring.h"
#include "auth-question.h"
#include "auth-window.h"
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

static void look_up(const AuthQuestion *question, GPtrArray *fields, GCancellable *cancellable)
{
#ifdef HAVE_KEYRING
    auth_keyring_look_up(question, fields, cancellable);
#endif
}

static gboolean ask(const AuthQuestion *question, GPtrArray *fields, GCancellable *cancellable,
                    GError **error)
{
#ifdef HAVE_WINDOW
    return auth_window_ask(question, fields, cancellable, error);
#else
    g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                _("The VPN “%s” needs a key, and this program was built without a window to ask "
                  "for it: use an agent with one (GNOME Shell, nm-applet), or “nmcli --ask "
                  "connection up”"),
                question->name);
    return FALSE;
#endif
}

/* QUIT may be there before we have answered: nmcli sends it at once. */
static gboolean answer_form(const AuthQuestion *question, GPtrArray *fields, int fd, GError **error)
{
    look_up(question, fields, NULL);
    auth_question_choose(question, fields);
    return auth_answer_form(fd, question, fields, error);
}

/* For the others QUIT is also how they withdraw the question. */
static gboolean answer_values(const AuthQuestion *question, GPtrArray *fields, int fd,
                              GError **error)
{
    g_autoptr(AuthAgent) agent = auth_agent_new(STDIN_FILENO);
    GCancellable *cancellable = auth_agent_cancellable(agent);

    look_up(question, fields, cancellable);
    if (auth_question_choose(question, fields) && !ask(question, fields, cancellable, error))
        return FALSE;
    if (!auth_answer_values(fd, fields, error))
        return FALSE;
    auth_agent_wait(agent, QUIT_SECONDS);
    return TRUE;
}

/* Standard output, kept for the answer alone: whatever else a library prints goes to standard
 * error from now on. */
static int keep_stdout(void)
{
    int fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

    dup2(STDERR_FILENO, STDOUT_FILENO);
    return fd;
}

static gboolean answer(const AuthQuestion *question, int fd, GError **error)
{
    g_autoptr(GPtrArray) fields = auth_question_fields(question);

    if (question->external_ui)
        return answer_form(question, fields, fd, error);
    return answer_values(question, fields, fd, error);
}

int main(int argc, char **argv)
{
    g_auto(AuthQuestion) question = {0};
    g_autoptr(GError) error = NULL;
    int fd = -1;

    setlocale(LC_ALL, "");
    bindtextdomain(GETTEXT_PACKAGE, CULVERT_LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    textdomain(GETTEXT_PACKAGE);
    signal(SIGPIPE, SIG_IGN);
    g_log_writer_default_set_use_stderr(TRUE);

    if (parse_options(&question, &argc, &argv, &error)) {
        fd = keep_stdout();
        if (auth_question_read(&question, STDIN_FILENO, &error) && answer(&question, fd, &error))
            return EXIT_SUCCESS;
    }
    /* The user, or the agent, knows. */
    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return EXIT_FAILURE;
    g_printerr("nm-culvert-auth-dialog: %s\n", error->message);
    return EXIT_FAILURE;
}
