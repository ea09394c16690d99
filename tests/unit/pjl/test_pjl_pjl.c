/* PJL: brackets around a job, and what printers say back. */
#include "pjl/pjl.h"

#include "unit.h"

#include <string.h>

static char said[2048];

static void say(const struct pjl_event *ev)
{
	size_t n = strlen(said);

	switch (ev->kind) {
	case PJL_EV_DEVICE:
		snprintf(said + n, sizeof(said) - n, "device %u %s %s %s|",
			 ev->code, pjl_condition_name(ev->condition),
			 ev->online ? "on" : "off", ev->display);
		break;
	case PJL_EV_START:
		snprintf(said + n, sizeof(said) - n, "start %s|", ev->name);
		break;
	case PJL_EV_PAGE:
		snprintf(said + n, sizeof(said) - n, "page %u|", ev->pages);
		break;
	case PJL_EV_END:
		snprintf(said + n, sizeof(said) - n, "end %s %d %u%s|",
			 ev->name, ev->has_pages, ev->pages,
			 ev->cancelled ? " cancelled" : "");
		break;
	case PJL_EV_COUNT:
		snprintf(said + n, sizeof(said) - n, "count %u|", ev->pages);
		break;
	case PJL_EV_NONE:
		break;
	}
}

static void check_hear(const char *in, size_t len, const char *want)
{
	for (size_t chunk = 1; chunk <= len; chunk++) {
		struct pjl p = {0};
		struct pjl_event ev;
		size_t done = 0;

		said[0] = '\0';
		while (done < len) {
			done += pjl_input(&p, in + done, MIN(chunk, len - done),
					  &ev);
			say(&ev);
		}
		assert_string_equal(said, want);
	}
}

#define HEAR(text, want) check_hear(text, sizeof(text) - 1, want)

/* [print3270 4.2] blocks end with FF. */
static void status_blocks(void **state UNUSED)
{
	HEAR("@PJL USTATUS DEVICE\r\nCODE=10001\r\nDISPLAY=\"READY\"\r\n"
	     "ONLINE=TRUE\r\n\f",
	     "device 10001 ready on READY|");
	HEAR("@PJL INFO STATUS\r\nCODE=41213\r\nDISPLAY=\"LOAD A4\"\r\n"
	     "ONLINE=TRUE\r\n\f",
	     "device 41213 paper on LOAD A4|");
	HEAR("@PJL INFO STATUS\nCODE = 10001\nONLINE = FALSE\n\f",
	     "device 10001 off line off |");
	HEAR("@PJL USTATUS DEVICE\r\nCODE=40000\r\nONLINE=FALSE\r\n\f"
	     "@PJL USTATUS DEVICE\r\nCODE=40021\r\nONLINE=FALSE\r\n\f"
	     "@PJL USTATUS DEVICE\r\nCODE=50599\r\nONLINE=FALSE\r\n\f",
	     "device 40000 off line off |device 40021 attention off |"
	     "device 50599 fault off |");
	HEAR("@PJL USTATUS JOB\r\nSTART\r\nNAME=\"J7\"\r\n\f"
	     "@PJL USTATUS PAGE\r\n1\r\n\f@PJL USTATUS PAGE\r\n2\r\n\f"
	     "@PJL USTATUS JOB\r\nEND\r\nNAME=\"J7\"\r\nPAGES=2\r\n"
	     "RESULT=OK\r\n\f",
	     "start J7|page 1|page 2|end J7 1 2|");
	HEAR("@PJL USTATUS JOB\r\nEND\r\nNAME=\"J\"\r\nRESULT=USER_CANCELED"
	     "\r\n\f@PJL USTATUS JOB\r\nCANCELED\r\nNAME=\"K\"\r\n\f",
	     "end J 0 0 cancelled|end K 0 0 cancelled|");
	HEAR("@PJL INFO PAGECOUNT\r\nPAGECOUNT=7\r\n\f"
	     "@PJL INFO PAGECOUNT\r\n1234\r\n\f",
	     "count 1234|");
}

static void nonsense(void **state UNUSED)
{
	struct pjl p = {0};
	struct pjl_event ev;
	char big[1000];

	HEAR("hello\r\n\f\f\fCODE=10001\r\n\f@PJL ECHO x\r\nCODE=1\r\n\f", "");
	HEAR("@PJL USTATUS PAGE\r\nabc\r\n\f", "");
	HEAR("@PJL USTATUS DEVICE\r\nCODE=99999999999999999999\r\n\f",
	     "device 4294967295 unknown on |");
	memset(big, 'x', sizeof(big));
	memcpy(big, "@PJL USTATUS DEVICE\nDISPLAY=\"", 29);
	assert_int_equal(pjl_input(&p, big, sizeof(big), &ev), sizeof(big));
	assert_int_equal(ev.kind, PJL_EV_NONE);
	assert_int_equal(pjl_input(&p, "\nCODE=10001\n\f", 13, &ev), 13);
	assert_int_equal(ev.kind, PJL_EV_DEVICE);
	assert_true(strlen(ev.display) < PJL_LINE_MAX);
	/* controls in what a printer shows do not reach a terminal */
	HEAR("@PJL USTATUS DEVICE\nCODE=10001\nDISPLAY=\"\033[2J\"\n\f",
	     "device 10001 ready on ?[2J|");
}

static void brackets(void **state UNUSED)
{
	char out[PJL_BRACKET_MAX + 1];
	size_t n = pjl_job_start("JOB \"7\"\r\n", "PCL", (uint8_t *)out);

	out[n] = '\0';
	assert_string_equal(out,
			    "\033%-12345X@PJL \r\n@PJL JOB NAME=\"JOB _7___\""
			    "\r\n@PJL USTATUS DEVICE=ON\r\n@PJL USTATUS "
			    "JOB=ON\r\n@PJL USTATUS PAGE=ON\r\n@PJL ENTER "
			    "LANGUAGE=PCL\r\n");
	n = pjl_job_start("a", NULL, (uint8_t *)out);
	out[n] = '\0';
	assert_null(strstr(out, "ENTER"));
	n = pjl_job_end("a", (uint8_t *)out);
	out[n] = '\0';
	assert_string_equal(out, "\033%-12345X@PJL \r\n@PJL EOJ NAME=\"a\"\r\n"
				 "\033%-12345X");
	n = pjl_query((uint8_t *)out);
	out[n] = '\0';
	assert_string_equal(out, "\033%-12345X@PJL \r\n@PJL INFO STATUS\r\n"
				 "@PJL INFO PAGECOUNT\r\n\033%-12345X");
	memset(out, 'x', 300);
	out[300] = '\0';
	n = pjl_job_start(out, out, (uint8_t *)(char[PJL_BRACKET_MAX]){0});
	assert_in_range(n, 200, PJL_BRACKET_MAX);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(status_blocks),
	cmocka_unit_test(nonsense),
	cmocka_unit_test(brackets),
};

UNIT_MAIN(tests)
