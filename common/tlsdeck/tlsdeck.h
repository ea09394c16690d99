/*
 * tlsdeck.h: the TLS commands that decks of tlsd and proxyd share, and what
 * they come to.
 *
 *   KEYRING dir             KEYFILE member|path   SECTYPE version [version]
 *   OPTION SERVER|CLIENT|NOFTP|FTP [IMPLICIT|EXPLICIT]
 *   HANDSHAKE_SERVER 1|2
 *   HANDSHAKE_CLIENT 0|3    CA_AUTH YES|NO        CA_AUTH_TYPE 0..3
 * and ours:
 *   CIPHERS list|*          GROUPS list|*         LEGACY YES|NO
 *   CAFILE path|SYSTEM|*    CRLFILE path|*        ALPN name...|*
 *   TICKETS YES|NO          KEYLOG path|*         OCSPFILE path|*
 *   PASSFILE path|*
 *   MAPUSER NONE|CN|EMAIL|EMAILUSER|DNS [REQUIRED]
 *   MAPUSER FILE path [REQUIRED]
 *   OCSP NO|YES|REQUIRED [url]
 *
 * KEYRING is the deck's; all others are sticky: they hold for the ATTLS and
 * PROXY commands behind them. couplet-deck(5) and the daemons' pages say what
 * each means to a user; tls_settings says what it comes to.
 *
 * The reading half is pure. tlsdeck_policy() turns settings into a policy of
 * the TLS room, with keys from the key process.
 */
#ifndef COUPLET_TLSDECK_H
#define COUPLET_TLSDECK_H

#include "deck/args.h"
#include "tls/tls.h"

#include <stdio.h>

struct keys;
struct ocsp_fetch;

#define TLSDECK_RING_MAX 255
#define TLSDECK_MEMBER_MAX 64
#define TLSDECK_MEMBERS_MAX 8 /* key files of one policy */
#define TLSDECK_LIST_MAX 255
#define TLSDECK_PATH_MAX 255
/* A KEYRING that is no path, "CRYPTO.KEYRING", is a directory here. */
#define TLSDECK_RING_DIR "/etc/couplet"

#define TLSDECK_URL_MAX 255
#define TLSDECK_COMMANDS_MAX 32

/* Are responders asked about certificates of peers? */
enum tlsdeck_ocsp { TLSDECK_OCSP_NO, TLSDECK_OCSP_YES, TLSDECK_OCSP_REQUIRED };

enum tlsdeck_option { TLSDECK_NEITHER, TLSDECK_SERVER, TLSDECK_CLIENT };

/* How TLS begins on an FTP control connection. */
enum tlsdeck_ftp {
	TLSDECK_FTP_BY_PORT, /* 21: with AUTH; others: at once */
	TLSDECK_FTP_IMPLICIT,
	TLSDECK_FTP_EXPLICIT,
};

/* What is in force at some line of a deck. All zero but for the defaults of
 * tlsdeck_init(). */
struct tls_settings {
	char keyring[TLSDECK_RING_MAX + 1];  /* "" = none given */
	char keyfile[TLSDECK_PATH_MAX + 1];  /* member, or path from '/' */
	char passfile[TLSDECK_PATH_MAX + 1]; /* its pass-phrase, "" = none */
	char sectype[2][12];                 /* canonical, "" = none */
	enum tls_version min_version, max_version;
	enum tlsdeck_option option;
	bool ftp;
	bool two_sides; /* of the daemon: OPTION FTP may say it for each */
	enum tlsdeck_ftp ftp_tls[2]; /* of the client's, the server's side;
				      * without two_sides both are the same */
	uint8_t handshake_server;    /* 1, 2 */
	uint8_t handshake_client;    /* 0, 3 */
	bool ca_auth;
	uint8_t ca_auth_type; /* 0..3 */
	char ciphers[TLSDECK_LIST_MAX + 1], groups[TLSDECK_LIST_MAX + 1];
	bool legacy;
	char cafile[TLSDECK_PATH_MAX + 1]; /* "SYSTEM", a path, "" */
	char crlfile[TLSDECK_PATH_MAX + 1];
	char alpn[TLSDECK_LIST_MAX + 1]; /* names, blank between */
	bool tickets;
	enum tls_map map; /* client certificate to user */
	char mapfile[TLSDECK_PATH_MAX + 1];
	bool need_user;
	char ocspfile[TLSDECK_PATH_MAX + 1]; /* response to staple */
	enum tlsdeck_ocsp ocsp;
	char ocsp_url[TLSDECK_URL_MAX + 1]; /* "": the certificate's */
	char keylog[TLSDECK_PATH_MAX + 1];  /* for debugging */
};

/* The defaults: HANDSHAKE_SERVER 1, HANDSHAKE_CLIENT 3, TICKETS YES. */
void tlsdeck_init(struct tls_settings *s);
/* Reads the command of `a` into `s` if it is one of the above; false: it is
 * not. Mistakes are notes in the deck's report. */
bool tlsdeck_command(struct tls_settings *s, struct deck_args *a);
/* The keywords of all these commands into `ret` of TLSDECK_COMMANDS_MAX, for
 * the search of misspelt ones; their number. */
size_t tlsdeck_keywords(const char **ret);
/* The commands that lead from `from` to `to`, in canonical form; nothing when
 * they are equal. */
void tlsdeck_print(const struct tls_settings *from,
		   const struct tls_settings *to, FILE *out);
/* LOG, which is none of these and the same in tlsd and proxyd: what has a line
 * in the log each time it happens. */
enum tlsdeck_log { TLSDECK_LOG_ALL, TLSDECK_LOG_FAILURES, TLSDECK_LOG_NONE };
/* The operands of LOG; *ret stays if they are wrong. */
void tlsdeck_log_read(struct deck_args *a, enum tlsdeck_log *ret);
/* As a command, if it is not ALL. */
void tlsdeck_log_print(enum tlsdeck_log l, FILE *out);
/* The directory that KEYRING means, into `buf` of TLSDECK_PATH_MAX * 2 bytes;
 * returned. */
const char *tlsdeck_ring(const struct tls_settings *s, char *buf, size_t len);

/* Does TLS of an FTP control connection to this port, on side 0 (client) or 1
 * (server), begin with AUTH? */
bool tlsdeck_ftp_explicit(const struct tls_settings *s, int side,
			  uint16_t port);

/* ---- settings into policies ---------------------------------------------- */

/* What all policies of a daemon share. */
struct tlsdeck_shared {
	struct keys *keys;
	struct tls_tickets *tickets; /* NULL: no resumption */
	struct tls_cache *cache;
	/* Asks OCSP responders and lives as long as the policies. NULL: the
	 * daemon cannot wait for answers in a handshake; then OCSP of a client
	 * means what servers staple, and a server's is an error. */
	struct ocsp_fetch *ocsp;
};

/*
 * The policy for `role` under the settings; `member` is the key file, or
 * several with a blank between (the certificate is chosen by SNI), "" means
 * the KEYFILE of the settings; a name that begins with '/' is a path. `name`
 * stands in errors and in the cache. What an operator should know (deprecated,
 * odd) is added to `notes` (TLS_WHY_MAX bytes, may be NULL), one sentence a
 * line. 0, or negative errno with a sentence in `why` (TLS_WHY_MAX bytes).
 */
int tlsdeck_policy(const struct tls_settings *s, enum tls_role role,
		   const char *name, const char *member,
		   const struct tlsdeck_shared *shared, struct tls_policy **ret,
		   char *why, char *notes) MUST_USE;

#endif
