/* claim - one worker at a time on the results of an image, in all processes and on all machines.
 *
 * A claim is an advisory lock (fcntl, F_OFD_SETLK) on one byte of the file .lipopose/lock beside
 * the results; which byte, the name tells. The kernel, or the file server, gives it back when its
 * holder ends, however that ends: nothing becomes stale, no clock is asked and no file per image is
 * left. NFS, Lustre (mounted with flock), GPFS, BeeGFS and CephFS keep such locks for all machines.
 *
 * Where a file system has none, claims are granted to everybody: two tasks with the same images
 * then both work, which costs time and nothing else, as files are replaced whole and both write the
 * same bytes. Two names on one byte (1 in 10^18) wait for each other. */
#ifndef LP_CLAIM_H
#define LP_CLAIM_H

#include "status.h"

typedef enum { LP_CLAIM_OURS, LP_CLAIM_BUSY, LP_CLAIM_NO_LOCKS } lp_claim_state;

typedef struct {
    lp_claim_state state; /* BUSY: another has it now, nothing is held */
    int fd;
} lp_claim;

/* For the results that begin with base. Never waits. LP_EIO where the folder .lipopose, which is
 * made, or the lock file cannot be opened. On success give *out to lp_claim_release. */
lp_status lp_claim_take(const char *base, lp_claim *out, lp_err *err);
void lp_claim_release(lp_claim *c);

#endif
