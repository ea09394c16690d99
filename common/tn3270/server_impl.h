/* server_impl.h: what server.c and server_io.c share. Internal to the room. */
#ifndef COUPLET_TN3270_SERVER_IMPL_H
#define COUPLET_TN3270_SERVER_IMPL_H

#include "tn3270/server.h"

/* State READY: when the keepalive acts; MONO_NEVER when it is off. */
mono_t server_keepalive_at(const struct tn3270_server *s);

#endif
