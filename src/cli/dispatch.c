#include "cli/dispatch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/escape.h"
#include "base/io.h"
#include "base/log.h"
#include "cli/options.h"

#define OPTION_WIDTH 24

void usage_all(struct strbuf *out, const struct command *const *commands)
{
	strbuf_adds(out, "Usage: backstop COMMAND [OPTION…] [OPERAND…]\n\n"
			 "Freezes the destructive actions of AI agents until they are decided.\n\n"
			 "Commands:\n");
	for (; *commands; commands++)
		strbuf_addf(out, "  %-9s %s\n", (*commands)->name, (*commands)->help);
	strbuf_adds(out, "\n'backstop COMMAND --help' tells what one of them takes;"
			 " 'backstop --version' which release this is.\n");
}

static void usage_option(struct strbuf *out, const struct option_def *o)
{
	size_t start = out->len, width;

	strbuf_addf(out, o->letter ? "  -%c, " : "      ", o->letter);
	strbuf_addf(out, "--%s", o->name);
	if (o->kind != OPTION_FLAG)
		strbuf_addf(out, " %s", o->argument);
	width = out->len - start;
	strbuf_addf(out, "%*s%s\n", width < OPTION_WIDTH ? (int)(OPTION_WIDTH - width) : 1, "",
		    o->help);
}

void usage_command(struct strbuf *out, const struct command *c)
{
	static const struct option_def help = {
		"help", 'h', OPTION_FLAG, NULL, "show this text", 0
	};
	const char *arguments = c->arguments ? c->arguments : "";

	strbuf_addf(out, "Usage: backstop %s [OPTION…]%s%s\n\n%s\n\nOptions:\n", c->name,
		    *arguments ? " " : "", arguments, c->help);
	for (const struct option_def *o = c->options; o && o->name; o++)
		usage_option(out, o);
	usage_option(out, &help);
	strbuf_addf(out, "\nExample:\n  %s\n", c->example);
}

/* What was printed but could not be written (a full disk) is no success. */
static int finish(int status)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		log_errno(-errno, "cannot write the output");
		return status ? status : EXIT_FAILURE;
	}
	return status;
}

static int print(const struct strbuf *text)
{
	fputs(strbuf_str(text), stdout);
	return finish(0);
}

static int run_command(const struct command *c, int argc, char **argv)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	_cleanup_free_ void *options = calloc(1, MAX(c->options_size, (size_t)1));
	int operands, r;

	if (!options)
		return log_errno(-ENOMEM, "%s", c->name), EXIT_FAILURE;
	r = options_parse(c, argc, argv, options, &operands, &text);
	if (r < 0) {
		log_error("%s", strbuf_str(&text));
		return EXIT_USAGE;
	}
	if (r > 0) {
		usage_command(&text, c);
		return print(&text);
	}
	return finish(c->run(options, operands, argv));
}

/* It takes the whole command line, and comes back only where it fails. */
static int become(const struct command *c, char **argv)
{
	_cleanup_free_ char *path = NULL;
	int r = io_find_program(c->program, &path);

	if (!r) {
		execv(path, argv);
		r = -errno;
	}
	log_errno(r, "%s: cannot run %s, which is installed with backstop", c->name, c->program);
	return EXIT_FAILURE;
}

static const char *command_name_at(const void *data, size_t i)
{
	const struct command *const *commands = data;

	return commands[i] ? commands[i]->name : NULL;
}

static int refuse_unknown(const struct command *const *commands, const char *word)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	const char *nearest = nearest_name(word, command_name_at, commands);

	escape_word(&text, word);
	strbuf_addf(&text, " is no %s of backstop: ", word[0] == '-' ? "option" : "command");
	if (nearest)
		strbuf_addf(&text, "did you mean '%s'? ", nearest);
	strbuf_adds(&text, "'backstop --help' lists all");
	log_error("%s", strbuf_str(&text));
	return EXIT_USAGE;
}

int dispatch(const struct command *const *commands, int argc, char **argv)
{
	_cleanup_strbuf_ struct strbuf text = STRBUF_INIT;
	const char *word = argc > 1 ? argv[1] : NULL;

	if (!word) {
		log_error("a command is missing: 'backstop --help' lists all");
		return EXIT_USAGE;
	}
	for (size_t i = 0; commands[i]; i++)
		if (strcmp(commands[i]->name, word) == 0)
			return commands[i]->program ? become(commands[i], argv)
						    : run_command(commands[i], argc - 2, argv + 2);
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
		usage_all(&text, commands);
	else if (strcmp(word, "--version") == 0)
		strbuf_adds(&text, "backstop " BACKSTOP_VERSION "\n");
	else
		return refuse_unknown(commands, word);
	return print(&text);
}
