/*
 * fuzz_head: any bytes as a PROXY protocol header and as a ClientHello. A
 * header that was found must be written and found again the same.
 */
#include "head/head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void law(bool ok)
{
	if (!ok)
		abort();
}

static void again(const struct head_proxy *h, unsigned version)
{
	char buf[HEAD_V1_MAX + 1];
	struct head_proxy second;
	size_t n = head_proxy_emit(version, &h->client, &h->local, buf);

	law(head_proxy_parse(buf, n, version, &second) == (ssize_t)n);
	law(second.known && second.client.port == h->client.port &&
	    second.local.port == h->local.port &&
	    ip_eq(&second.client.addr, &h->client.addr) &&
	    ip_eq(&second.local.addr, &h->local.addr));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[HEAD_NAME_MAX + 1];
	struct head_proxy h;
	ssize_t n = head_proxy_parse((const char *)data, size,
				     HEAD_V1 | HEAD_V2, &h);
	int r;

	law(n <= (ssize_t)size);
	law(n > 0 || n == -EAGAIN || n == -EPROTO);
	if (n > 0 && h.known) {
		again(&h, HEAD_V1);
		again(&h, HEAD_V2);
	}
	r = head_sni(data, size, name);
	law(r == 0 || r == -EAGAIN || r == -EPROTO);
	if (r == 0) {
		law(strlen(name) <= HEAD_NAME_MAX);
		(void)head_name_fits("*.example.org", name);
	}
	return 0;
}
