#include "divert/divert.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- messages ------------------------------------------------------------ */

int divert_send(int fd, struct divert_msg *m, const int *fds, int n)
{
	union {
		char b[CMSG_SPACE(sizeof(int) * DIVERT_FDS)];
		struct cmsghdr align;
	} u = {.b = {0}};
	struct iovec io = {m, DIVERT_MSG_MIN};
	struct msghdr h = {.msg_iov = &io, .msg_iovlen = 1};

	if (n > DIVERT_FDS)
		return -EINVAL;
	m->magic = DIVERT_MAGIC;
	m->text_len = (uint16_t)strnlen(m->text, DIVERT_TEXT_MAX - 1);
	io.iov_len += m->text_len;
	if (n > 0) {
		size_t len = sizeof(int) * (size_t)n;
		struct cmsghdr *c;

		h.msg_control = u.b;
		h.msg_controllen = CMSG_SPACE(len);
		c = CMSG_FIRSTHDR(&h);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(len);
		memcpy(CMSG_DATA(c), fds, len);
	}
	while (sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
		if (errno == EINTR)
			continue;
		/* the kernel bounds descriptors on their way, too */
		return errno == ETOOMANYREFS || errno == ENOBUFS ? -EAGAIN
								 : -errno;
	}
	return 0;
}

static void take_fds(struct msghdr *h, int fds[DIVERT_FDS])
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(h); c; c = CMSG_NXTHDR(h, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		memcpy(fds, CMSG_DATA(c),
		       MIN(c->cmsg_len - CMSG_LEN(0),
			   sizeof(int) * DIVERT_FDS));
	}
}

static void drop_fds(int fds[DIVERT_FDS])
{
	for (int i = 0; i < DIVERT_FDS; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

static bool valid(const struct divert_msg *m, ssize_t n)
{
	return n >= (ssize_t)DIVERT_MSG_MIN && m->magic == DIVERT_MAGIC &&
	       m->op > 0 && m->op < DIVERT__LAST &&
	       m->text_len < DIVERT_TEXT_MAX &&
	       (size_t)n == DIVERT_MSG_MIN + m->text_len;
}

int divert_recv(int fd, struct divert_msg *ret, int fds[DIVERT_FDS])
{
	union {
		char b[CMSG_SPACE(sizeof(int) * DIVERT_FDS)];
		struct cmsghdr align;
	} u;
	struct iovec io = {ret, sizeof(*ret)};
	struct msghdr h = {.msg_iov = &io,
			   .msg_iovlen = 1,
			   .msg_control = u.b,
			   .msg_controllen = sizeof(u.b)};
	ssize_t n;

	for (int i = 0; i < DIVERT_FDS; i++)
		fds[i] = -1;
	do
		n = recvmsg(fd, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return 0;
	take_fds(&h, fds);
	if (h.msg_flags & (MSG_CTRUNC | MSG_TRUNC) || !valid(ret, n)) {
		drop_fds(fds);
		return -EPROTO;
	}
	ret->text[ret->text_len] = '\0';
	return 1;
}

/* ---- rules --------------------------------------------------------------- */

static bool is_any(const struct ip_addr *a)
{
	struct ip_addr any = ip_any((enum ip_family)a->family);

	return ip_eq(a, &any);
}

static bool local_match(const struct divert_rule *rule,
			const struct ip_addr *local)
{
	struct ip_port p;

	if (proto_addr_get(&rule->local, &p) < 0)
		return false;
	if (p.addr.family == IP_NONE || !local || local->family == IP_NONE)
		return true;
	if (is_any(&p.addr))
		return p.addr.family == local->family;
	return ip_eq(&p.addr, local);
}

static bool remote_match(const struct divert_rule *rule,
			 const struct ip_addr *remote)
{
	struct ip_port p;
	struct ip_prefix pre;

	if (proto_addr_get(&rule->remote, &p) < 0)
		return false;
	if (p.addr.family == IP_NONE || !remote || remote->family == IP_NONE)
		return true;
	if (p.addr.family != remote->family)
		return false;
	pre = ip_prefix_make(&p.addr, rule->plen);
	return ip_prefix_has(&pre, remote);
}

bool divert_rule_match(const struct divert_rule *rule, bool inbound,
		       uint16_t port, const struct ip_addr *local,
		       const struct ip_addr *remote)
{
	return !(rule->flags & DIVERT_R_INBOUND) == !inbound &&
	       port >= rule->port_lo && port <= rule->port_hi &&
	       local_match(rule, local) && remote_match(rule, remote);
}

uint16_t divert_rule_as(const struct divert_rule *rule, uint16_t port)
{
	return (uint16_t)(rule->as_port + (port - rule->port_lo));
}

int divert_rule_check(const struct divert_rule *rule)
{
	struct ip_port p;
	unsigned bits;

	if (!rule->port_lo || rule->port_hi < rule->port_lo || !rule->as_port ||
	    rule->as_port + (rule->port_hi - rule->port_lo) > 65535)
		return -EINVAL;
	if (proto_addr_get(&rule->local, &p) < 0 ||
	    proto_addr_get(&rule->remote, &p) < 0)
		return -EINVAL;
	bits = p.addr.family == IP_V4 ? 32 : p.addr.family == IP_V6 ? 128 : 0;
	return rule->plen > bits ? -EINVAL : 0;
}
