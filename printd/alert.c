/*
 * alert.c: the ALERT command of the deck: run by the helper process, once for
 * each event, as COMMAND KIND LU JOB TEXT. At most ALERTS_MAX run at once;
 * more are dropped and told, for a flood of alerts helps nobody.
 */
#include "daemon/log.h"
#include "helper/helper.h"
#include "printd.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ALERTS_MAX 16

static void on_end(void *arg, int status)
{
	struct printd *pd = arg;
	char text[48];

	pd->n_alerts--;
	if (!status)
		return;
	snprintf(text, sizeof text, "ended with %d", status);
	log_msg(MSG_CPLT750W, pd->deck.alert, text);
}

void alert_send(struct printd *pd, const char *kind, const char *lu,
		uint32_t job, const char *text)
{
	char number[16];
	const char *argv[] = {pd->deck.alert, kind, lu, number, text};
	int r;

	if (!pd->deck.alert[0] || !pd->env.helper)
		return;
	snprintf(number, sizeof number, "%u", job);
	r = pd->n_alerts >= ALERTS_MAX
		    ? -EAGAIN
		    : helper_run(pd->env.helper, argv, ARRAY_SIZE(argv), -1, -1,
				 on_end, pd);
	if (r < 0)
		log_msg(MSG_CPLT750W, pd->deck.alert, strerror(-r));
	else
		pd->n_alerts++;
}
