/* about.c: what a program that asks is told of its connection
 * (client/attls.h), by way of stackd. */
#include "about.h"
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void copy(char *to, size_t len, const char *from)
{
	snprintf(to, len, "%s", from ? from : "");
}

/* What a session agreed on; and how much ATTLS_CERT and ATTLS_CHAIN give. */
static void fill(struct tls_session *s, struct attls_info *ret)
{
	struct tls_info i;
	size_t len;

	tls_session_info(s, &i);
	ret->resumed = i.resumed;
	ret->version = (uint16_t)i.version;
	ret->suite = i.suite;
	copy(ret->group, sizeof(ret->group), i.group);
	copy(ret->alpn, sizeof(ret->alpn), i.alpn);
	copy(ret->user, sizeof(ret->user), i.user);
	if (i.peer_cert)
		copy(ret->subject, sizeof(ret->subject), i.subject);
	for (unsigned k = 0; tls_session_peer_chain(s, k, &len); k++) {
		if (k == 0)
			ret->cert_len = (uint32_t)len;
		ret->chain_len += (uint32_t)len;
	}
}

void about_tell(struct pair *p, struct tls_session *s)
{
	struct divert_msg m = {.op = DIVERT_ABOUT, .serial = p->serial};

	m.attls = (struct attls_info){
		.policy = ATTLS_POLICY_ENABLED,
		.state = ATTLS_STATE_SECURE,
		.role = p->rule->d.inbound ? ATTLS_ROLE_SERVER
					   : ATTLS_ROLE_CLIENT,
	};
	if (s)
		fill(s, &m.attls);
	if (p->control)
		control_about(p, &m.attls);
	(void)!door_send(p->td, &m);
}

/* ---- certificates -------------------------------------------------------- */

static int put(int fd, const uint8_t *der, size_t len)
{
	ssize_t n;

	do
		n = write(fd, der, len);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -ENOSPC;
}

static int put_certs(struct tls_session *s, bool chain, int fd, uint32_t *ret)
{
	size_t max = chain ? ATTLS_CHAIN_MAX : ATTLS_CERT_MAX, len, all = 0;
	const uint8_t *der;

	for (unsigned i = 0;
	     (chain || i == 0) && (der = tls_session_peer_chain(s, i, &len));
	     i++) {
		int r = all + len > max ? -EMSGSIZE : put(fd, der, len);

		if (r < 0)
			return r;
		all += len;
	}
	*ret = (uint32_t)all;
	return all ? 0 : -ENODATA;
}

int about_certs(struct pair *p, struct divert_msg *m, bool chain)
{
	struct tls_session *s = p->state == OPEN || p->state == TALK
					? p->relay.end[WIRE].tls
					: NULL;
	int fd, r;

	if (!s)
		return -EBADFD;
	/* stackd takes no words of before behind it */
	if (p->td->unsaid_n)
		return -EAGAIN;
	fd = memfd_create("certificates", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = put_certs(s, chain, fd, &m->control.len);
	if (r == 0)
		r = divert_send(p->td->door, m, &fd, 1);
	close(fd);
	return r;
}
