/*
 * fuzz_telnet.c: two Telnet machines. Byte 0 of the input: which options the
 * first allows and asks for; the rest is what a peer sends, in pieces. What
 * the machine answers goes to a second one that allows everything. Checked:
 * all bytes are used, events stay inside their buffers, output never passes
 * its limit, and undoubling what was doubled gives the same.
 */
#include "tn3270/telnet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(bool ok)
{
	if (!ok)
		abort();
}

static uint32_t sum;

static void feed(struct telnet *t, const uint8_t *p, size_t len)
{
	struct telnet_event ev;
	size_t done = 0;

	while (done < len) {
		size_t used = telnet_input(t, p + done, len - done, &ev);

		check(used <= len - done);
		check(used > 0 || ev.kind != TELNET_EV_NONE);
		for (size_t i = 0; i < ev.len; i++)
			sum += ev.data[i]; /* ASan looks on */
		done += used;
		if (ev.kind == TELNET_EV_NONE || ev.kind == TELNET_EV_ERROR)
			check(done == len);
		check(telnet_output_len(t) <= TELNET_OUT_MAX);
	}
}

static void doubling(const uint8_t *p, size_t len)
{
	static uint8_t twice[8192], again[8192];
	struct iovec iov[7];
	size_t n, m = 0, done = 0;

	len = MIN(len, sizeof(twice) / 2);
	n = telnet_escape(twice, p, len);
	while (done < len) {
		size_t used;
		int k = telnet_escape_iov(p + done, len - done, iov, 7, &used);

		check(used > 0);
		done += used;
		for (int i = 0; i < k; i++) {
			memcpy(again + m, iov[i].iov_base, iov[i].iov_len);
			m += iov[i].iov_len;
		}
	}
	check(m == n && !memcmp(twice, again, n));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const uint8_t options[] = {0, 3, 24, 25, 40, 46};
	struct telnet t, peer;
	uint8_t out[TELNET_OUT_MAX];

	if (len < 2)
		return 0;
	telnet_init(&t);
	telnet_init(&peer);
	for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
		telnet_allow(&t, options[i], i & 1, data[0] >> i & 1);
		telnet_allow(&peer, options[i], true, true);
		telnet_allow(&peer, options[i], false, true);
		if (data[0] & 0x40)
			telnet_request(&t, options[i], i & 1, data[1] >> i & 1);
	}
	doubling(data, len);
	for (size_t at = 1; at < len;) {
		size_t n = MIN(len - at, 1u + data[at] % 37u);

		feed(&t, data + at, n);
		at += n;
		n = telnet_output(&t, out, data[0] & 0x80 ? sizeof(out) : 40);
		feed(&peer, out, n);
		n = telnet_output(&peer, out, sizeof(out));
		feed(&t, out, n);
	}
	return 0;
}
