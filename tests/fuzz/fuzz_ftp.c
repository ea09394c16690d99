/*
 * fuzz_ftp: a client and a server that say anything, in any pieces, with every
 * wish answered in either way. Laws: what is taken is bounded by what was
 * offered, output stays within its limit, and once output is sent and wishes
 * are answered one side at least can speak, unless it is the end.
 */
#include "ftp/ftp.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void law(bool ok)
{
	if (!ok)
		abort();
}

static void drain(struct ftp *f)
{
	for (int i = 0; i < 2; i++) {
		const char *p;
		size_t n = ftp_output(f, (enum ftp_side)i, &p);

		law(n <= FTP_OUT_MAX);
		ftp_sent(f, (enum ftp_side)i, n / 2);
		ftp_sent(f, (enum ftp_side)i, n - n / 2);
	}
}

/* False: it is over. */
static bool answer(struct ftp *f, uint8_t how)
{
	struct ip_port at = {.port = 1234};

	switch (ftp_wish(f)->kind) {
	case FTP_WISH_NONE:
		return true;
	case FTP_WISH_TLS_START:
	case FTP_WISH_TLS_STOP:
		ftp_tls_done(f);
		return true;
	case FTP_WISH_LISTEN:
		at.addr = ip_loopback(
			(enum ip_family)f->cfg.peer[ftp_wish(f)->side].family);
		ftp_listening(f, how & 1 ? &at : NULL);
		return true;
	case FTP_WISH_BLIND:
	case FTP_WISH_END:
		break;
	}
	return false;
}

static void begin(struct ftp *f, uint8_t how)
{
	struct ftp_config cfg = {
		.tls = {(enum ftp_tls)(how % 3), (enum ftp_tls)(how / 3 % 3)},
		.peer = {ip_loopback(how & 64 ? IP_V6 : IP_V4),
			 ip_loopback(how & 128 ? IP_V6 : IP_V4)},
	};

	ftp_init(f, &cfg);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct ftp f;
	bool on = true;

	if (size < 2)
		return 0;
	begin(&f, data[0]);
	data++;
	size--;
	/* pieces: a byte that says which side, how long, how to answer */
	while (on && size > 1) {
		uint8_t op = data[0];
		size_t n = MIN(size - 1, (size_t)(op >> 1 & 63) + 1), taken;

		taken = ftp_input(&f, (enum ftp_side)(op & 1),
				  (const char *)data + 1, n);
		law(taken <= n);
		drain(&f);
		on = answer(&f, op >> 7);
		drain(&f);
		data += n + 1;
		size -= n + 1;
	}
	return 0;
}
