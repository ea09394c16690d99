#include "daemon/report.h"

#include "daemon/log.h"

#include <string.h>

static void log_notes(const struct deck_report *r, const char *path)
{
	for (uint32_t i = 0; i < r->n_notes; i++) {
		const struct deck_note *n = &r->notes[i];
		const char *file = n->file[0] ? n->file : path;

		switch (n->severity) {
		case DECK_INFO:
			log_msg(MSG_CPLT010I, file, n->line, n->column,
				n->text);
			break;
		case DECK_WARNING:
			log_msg(MSG_CPLT011W, file, n->line, n->column,
				n->text);
			break;
		case DECK_ERROR:
			if (n->line)
				log_msg(MSG_CPLT012E, file, n->line, n->column,
					n->text);
			else
				log_msg(MSG_CPLT015E, file, n->text);
			break;
		}
	}
	if (r->n_errors)
		log_msg(MSG_CPLT013E, path, r->n_errors, r->n_warnings);
}

int report_log(const struct deck_report *report, const char *path, int r)
{
	log_notes(report, path);
	if (r < 0 && !report->n_errors)
		log_msg(MSG_CPLT001E, path, strerror(-r));
	return r;
}
