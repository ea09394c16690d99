/*
 * netns.h: namespaces and small helpers for tests of the adapter against the
 * kernel. NETNS_MAIN(tests) runs the cases in fresh network and mount
 * namespaces; without root it exits with 77 and says why.
 */
#ifndef COUPLET_TEST_NETNS_H
#define COUPLET_TEST_NETNS_H

#include "osa/osa.h"
#include "unit.h"

/* Enters the namespaces; exits 77 when that is not allowed. */
void netns_enter(void);

#define NETNS_MAIN(tests) \
	int main(int argc, char **argv) \
	{ \
		netns_enter(); \
		if (argc > 1) \
			cmocka_set_test_filter(argv[1]); \
		return cmocka_run_group_tests(tests, NULL, NULL); \
	}

/* Exit status of a shell command; its output goes to stderr. */
int netns_run(const char *cmd);
/* The same command must succeed or fail. */
void netns_ok(const char *cmd);
void netns_fails(const char *cmd);

/* Device OSA0 on host interface "osa0" with the defaults of the deck. */
struct deck_device netns_device(enum deck_medium medium);
/* "10.0.0.1/24" as a prefix that keeps its host bits. */
struct ip_prefix netns_prefix(const char *text);
void netns_host_addr(struct deck_device *dev, const char *text);

/* Opens with MTU 1500 and the given addresses (NULL-terminated texts);
 * fails the case when that fails. */
struct osa_port *netns_open(const struct deck_device *dev,
			    const char *const *addrs);
/* Opening must fail with `error` and a sentence that contains `part`. */
void netns_open_fails(const struct deck_device *dev, const char *const *addrs,
		      int error, const char *part);

/* Waits until a packet comes for which `want` is true (at most 5 s) and
 * returns it; others are freed. NULL when none came. */
struct pkt *netns_wait(struct osa_port *p, struct pkt_pool *pool,
		       bool (*want)(struct pkt *k));

#endif
