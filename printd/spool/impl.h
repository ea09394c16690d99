/* impl.h: what the files of this room share. Not for others. */
#ifndef COUPLET_PRINTD_SPOOL_IMPL_H
#define COUPLET_PRINTD_SPOOL_IMPL_H

#include "spool/record.h"
#include "spool/spool.h"

#define NAME_LEN 16        /* "00000001.job" with its zero, and room */
#define BUCKETS 4096       /* of the index by number */
#define ID_BLOCK 1000      /* numbers reserved on disk at once */
#define NEXT_NAME "next"   /* file of the reservation */
#define WRITE_BUFFER 65536 /* of a draft */

struct bucket {
	struct spool_job **jobs;
	uint32_t n, cap;
};

struct spool {
	const struct spool_io *io;
	struct list all;
	struct bucket index[BUCKETS];
	uint32_t n;
	uint64_t bytes;
	uint32_t next_id, reserved; /* numbers next_id..reserved-1 are ours */
	uint64_t next_seq;
	uint32_t drafts;
};

struct spool_draft {
	struct spool *s;
	struct spool_meta meta;
	int fd;
	uint32_t crc;
	uint64_t written; /* on its way to the file */
	size_t held;      /* bytes in buf */
	int error;
	uint8_t buf[WRITE_BUFFER];
};

/* "00000001.suffix" into `buf` of NAME_LEN bytes. */
void spool_name(uint32_t id, const char *suffix, char *buf);
/* Writes all of `buf`. 0 or negative errno (-EIO: nothing went). */
int spool_pwrite_all(const struct spool_io *io, int fd, const void *buf,
		     size_t len, uint64_t at) MUST_USE;
/* Reads exactly `len` bytes. 0, -ENODATA (file too short), negative errno. */
int spool_pread_all(const struct spool_io *io, int fd, void *buf, size_t len,
		    uint64_t at) MUST_USE;
/* Into the list and the index. 0 or -ENOMEM. */
int spool_insert(struct spool *s, struct spool_job *j) MUST_USE;
/* A number that no job has, reserved on disk. 0 or negative errno. */
int spool_take_id(struct spool *s, uint32_t *ret) MUST_USE;
/* Reads the reservation. 0 or negative errno. */
int spool_read_next(struct spool *s) MUST_USE;

#endif
