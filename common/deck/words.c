#include "deck/words.h"

#include <string.h>

#define WORD_MAX 16 /* letters of a keyword that are compared */
#define FAR 99

/* Who has which command, to say where one belongs. */
static const struct {
	const char *keyword, *daemon;
} elsewhere[] = {
	{"DEVICE", "stackd"},
	{"ADAPTER", "stackd"},
	{"LINK", "stackd"},
	{"ROUTE", "stackd"},
	{"COUPLE", "stackd"},
	{"DNS", "stackd"},
	{"IN", "stackd"},
	{"OUT", "stackd"},
	{"PROXY", "proxyd"},
	{"ATTLS", "tlsd"},
	{"KEYRING", "tlsd and proxyd"},
	{"KEYFILE", "tlsd and proxyd"},
	{"PASSFILE", "tlsd and proxyd"},
	{"SECTYPE", "tlsd and proxyd"},
	{"OPTION", "tlsd and proxyd"},
	{"HANDSHAKE_SERVER", "tlsd and proxyd"},
	{"HANDSHAKE_CLIENT", "tlsd and proxyd"},
	{"CA_AUTH", "tlsd and proxyd"},
	{"CA_AUTH_TYPE", "tlsd and proxyd"},
	{"OPEN", "printd"},
	{"APPLID", "printd"},
	{"TITLE", "printd"},
	{"TERMINAL", "printd"},
	{"PRINTER", "printd"},
	{"DIRECT", "printd"},
	{"LPR", "printd"},
	{"FTP", "printd"},
	{"FTPP", "printd"},
	{"SBCS", "printd"},
	/* typed at a console */
	{"PORT", "the console, stackctl"},
	{"KILL", "the console, printctl"},
	{"REACT", "the console, printctl"},
	{"REACTIVATE", "the console, printctl"},
	/* of IPv6/VSE, and of no daemon here */
	{"SMNT", "BSTTFTPS, the FTP server"},
	{"BSSTISX", "BSTTFTPS, the FTP server"},
	{"FTP-IP", "BSTTFTPS, the FTP server"},
	{"FTP-IP6", "BSTTFTPS, the FTP server"},
	{"USER", "BSTTFTPC, the FTP client"},
	{"PASS", "BSTTFTPC, the FTP client"},
	{"STOR", "BSTTFTPC, the FTP client"},
};

/* Edits (insert, delete, replace, swap two) that turn a into b. */
static unsigned distance(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];

	if (n > WORD_MAX || m > WORD_MAX)
		return FAR;
	for (size_t i = 0; i <= n; i++) {
		for (size_t k = 0; k <= m; k++) {
			unsigned best;

			if (!i || !k) {
				d[i][k] = (unsigned)(i + k);
				continue;
			}
			best = d[i - 1][k - 1] + (a[i - 1] != b[k - 1]);
			best = MIN(best, d[i - 1][k] + 1);
			best = MIN(best, d[i][k - 1] + 1);
			if (i > 1 && k > 1 && a[i - 1] == b[k - 2] &&
			    a[i - 2] == b[k - 1])
				best = MIN(best, d[i - 2][k - 2] + 1);
			d[i][k] = best;
		}
	}
	return d[n][m];
}

static const char *owner(const char *word, const char *program)
{
	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++) {
		if (strcmp(word, elsewhere[i].keyword) == 0 &&
		    !strstr(elsewhere[i].daemon, program))
			return elsewhere[i].daemon;
	}
	return NULL;
}

void deck_unknown(struct deck_args *a, const char *program,
		  const char *const *words, size_t n)
{
	const char *word = a->cmd->keyword, *best = NULL;
	const char *whose = owner(word, program);
	unsigned best_distance = strlen(word) > 3 ? 3 : 2;

	if (whose) {
		deck_args_note(a, DECK_ERROR,
			       "%s is a command of %s, not of %s", word, whose,
			       program);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		unsigned far = distance(word, words[i]);

		if (far < best_distance) {
			best_distance = far;
			best = words[i];
		}
	}
	deck_args_note(a, DECK_ERROR, "'%.64s' is no command%s%s%s", word,
		       best ? ": expected " : "", best ? best : "",
		       best ? "?" : "");
}
