#include "deck/deck.h"

#include <errno.h>

int deck_build(const struct deck_kind *kind, const char *path, const char *text,
	       size_t len, void *value, struct deck_report *report)
{
	struct deck *source;
	int r = text ? deck_read_text(path, text, len, &kind->options, report,
				      &source)
		     : deck_read(path, &kind->options, report, &source);

	if (r < 0)
		return r;
	r = kind->build(source, value, report);
	deck_free(source);
	deck_report_sort(report, path);
	if (r == 0 && report->n_errors)
		r = -EINVAL;
	if (r < 0)
		kind->free(value);
	return r;
}
