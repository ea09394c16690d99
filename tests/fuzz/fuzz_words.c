/*
 * fuzz_words: text that people and programs hand over: a console line and
 * the command it names, addresses, stack ids, names of accepted connections,
 * address records, numeric host names.
 *
 * Links: stackd_display common_client.
 */
#include "client/id.h"
#include "client/names.h"
#include "client/proto.h"
#include "commands.h"
#include "console/command.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void line(const char *text)
{
	struct words w;
	char err[128], name[128];
	const struct command *c;
	int n = 0;

	if (words_split(&w, text) < 0)
		return;
	INVARIANT(w.n >= 0 && w.n <= CONSOLE_WORDS_MAX);
	for (int i = 0; i < w.n; i++)
		INVARIANT(w.w[i] >= w.text && w.w[i] < w.text + sizeof(w.text));
	if (!w.n)
		return;
	c = command_find(stackd_commands, stackd_n_commands, &w, &n, err,
			 sizeof(err));
	if (c) {
		INVARIANT(n > 0 && n <= w.n);
		(void)command_name(c, name, sizeof(name));
	}
}

static void addresses(const char *text)
{
	char buf[ADDR_TEXT_MAX];
	struct ip_addr a, b;
	struct ip_port p;

	if (ip_parse(text, &a) == 0) {
		(void)ip_format(&a, buf);
		INVARIANT(ip_parse(buf, &b) == 0 && ip_eq(&a, &b));
	}
	(void)id_parse(text);
	(void)names_number(0, text, &p);
}

static void records(const uint8_t *data, size_t size)
{
	struct proto_addr rec;
	struct ip_port local, remote, p;
	char name[PROTO_NAME_MAX];
	uint64_t serial;

	if (proto_name_parse((const char *)data, size, &serial, &local,
			     &remote) == 0)
		INVARIANT(proto_name_emit(serial, &local, &remote, name) <=
			  PROTO_NAME_MAX);
	if (size < sizeof(rec))
		return;
	memcpy(&rec, data, sizeof(rec));
	if (proto_addr_get(&rec, &p) == 0 && p.addr.family != IP_NONE) {
		struct proto_addr again;

		proto_addr_put(&p, &again);
		INVARIANT(again.family == rec.family && again.port == rec.port);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);

	INVARIANT(text != NULL);
	memcpy(text, data, size);
	text[size] = 0;
	line(text);
	addresses(text);
	records(data, size);
	free(text);
	return 0;
}
