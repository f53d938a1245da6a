/* shard - which part of a list of images a task of a job array does.
 *
 * An image belongs to shard 1 + hash(name) mod n, where name is its path below the folder that was
 * given, or its file name where the file itself was: the same image falls to the same shard on
 * every machine, wherever its folder is mounted and whatever else lies there. Shares are therefore
 * only about equal: of 40 images in 4 shards, one may have 6 and another 14. */
#ifndef LP_SHARD_H
#define LP_SHARD_H

#include <stdint.h>

#include "status.h"

typedef struct {
    int index, count;  /* 1 <= index <= count; 1 of 1: all images */
    const char *array; /* what told it, e.g. "SLURM_ARRAY_TASK_ID"; NULL: nothing, or the user */
} lp_shard;

#define LP_MAX_SHARDS 1000000

/* text: "i/n", or "none" for all images. NULL: what the environment says of a job array, in this
 * order:
 *   Slurm        SLURM_ARRAY_TASK_ID, with _MIN, _MAX, _STEP, _COUNT
 *   Grid Engine  SGE_TASK_ID, with SGE_TASK_FIRST, _LAST, _STEPSIZE
 *   LSF          LSB_JOBINDEX, with LSB_JOBINDEX_END, _STEP; taken to begin with 1
 *   PBS          PBS_ARRAY_INDEX, PBS_ARRAYID: PBS does not tell how many there are, LP_EARG
 * all images where there is none. env is getenv, or a test's. LP_EARG for a bad text, and for an
 * array with gaps (--array=1,5), whose tasks cannot be numbered: the message says what to give. */
lp_status lp_shard_find(const char *text, char *(*env)(const char *), lp_shard *out, lp_err *err);

/* FNV-1a with 64 bits, mixed by the end of MurmurHash3. */
uint64_t lp_shard_hash(const char *name);

/* The shard, 1 .. count, of an image. */
int lp_shard_of(const char *name, int count);

#endif
