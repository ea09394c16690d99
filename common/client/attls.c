/* attls.c: the functions of attls.h, which are its options by name. */
#include "client/attls.h"
#include "client/couplet.h"

int couplet_attls_query(int fd, struct attls_info *ret)
{
	socklen_t len = sizeof(*ret);

	return couplet_getsockopt(fd, SOL_ATTLS, ATTLS_QUERY, ret, &len);
}

int couplet_attls_cert(int fd, void *der, socklen_t *len)
{
	return couplet_getsockopt(fd, SOL_ATTLS, ATTLS_CERT, der, len);
}

int couplet_attls_chain(int fd, void *der, socklen_t *len)
{
	return couplet_getsockopt(fd, SOL_ATTLS, ATTLS_CHAIN, der, len);
}

int couplet_attls_control(int fd, enum attls_request what)
{
	int v = (int)what;

	return couplet_setsockopt(fd, SOL_ATTLS, ATTLS_CONTROL, &v, sizeof(v));
}
