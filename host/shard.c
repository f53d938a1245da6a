#include "shard.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A whole number that is all of text. */
static int whole(const char *text, long *out)
{
    char *end;
    long v;

    if (!text || !*text || strspn(text, "0123456789") != strlen(text)) return 0;
    errno = 0;
    v = strtol(text, &end, 10);
    if (errno || *end || v > 1000000000) return 0;
    *out = v;
    return 1;
}

static lp_status parse(const char *text, lp_shard *out, lp_err *err)
{
    const char *slash = strchr(text, '/');
    char left[16];
    long i = 0, n = 0;

    if (!strcmp(text, "none")) {
        *out = (lp_shard){1, 1, NULL};
        return LP_OK;
    }
    if (slash && (size_t)(slash - text) < sizeof left) {
        memcpy(left, text, (size_t)(slash - text));
        left[slash - text] = 0;
    }
    if (!slash || (size_t)(slash - text) >= sizeof left || !whole(left, &i) ||
        !whole(slash + 1, &n) || i < 1 || i > n || n > LP_MAX_SHARDS)
        return lp_fail(err, LP_EARG,
                       "--shard %.40s: give I/N with 1 <= I <= N <= %d, e.g. 2/4, or none", text,
                       LP_MAX_SHARDS);
    *out = (lp_shard){(int)i, (int)n, NULL};
    return LP_OK;
}

/* Task id of first, first + step, ... last. */
static lp_status number(const char *name, long id, long first, long last, long step, lp_shard *out,
                        lp_err *err)
{
    long count;

    if (step < 1) step = 1;
    count = (last - first) / step + 1;
    if (id < first || id > last || (id - first) % step || count > LP_MAX_SHARDS)
        return lp_fail(err, LP_EARG,
                       "%s=%ld is not one of %ld to %ld by %ld: give --shard I/N or --shard none",
                       name, id, first, last, step);
    *out = (lp_shard){(int)((id - first) / step) + 1, (int)count, name};
    return LP_OK;
}

static lp_status slurm(char *(*env)(const char *), long id, lp_shard *out, lp_err *err)
{
    static const char name[] = "SLURM_ARRAY_TASK_ID";
    long first, last, step = 1, count;

    if (!whole(env("SLURM_ARRAY_TASK_MIN"), &first) || !whole(env("SLURM_ARRAY_TASK_MAX"), &last))
        return lp_fail(err, LP_EARG,
                       "%s=%ld, but SLURM_ARRAY_TASK_MIN and _MAX are not there: give --shard I/N "
                       "or --shard none",
                       name, id);
    if (!whole(env("SLURM_ARRAY_TASK_STEP"), &step) || step < 1) step = 1;
    if (whole(env("SLURM_ARRAY_TASK_COUNT"), &count) && count != (last - first) / step + 1)
        return lp_fail(err, LP_EARG,
                       "%s=%ld: an array of %ld tasks from %ld to %ld has gaps and cannot be "
                       "numbered: give --shard I/N or --shard none",
                       name, id, count, first, last);
    return number(name, id, first, last, step, out, err);
}

lp_status lp_shard_find(const char *text, char *(*env)(const char *), lp_shard *out, lp_err *err)
{
    static const char *const pbs[] = {"PBS_ARRAY_INDEX", "PBS_ARRAYID"};
    long id, first = 1, last, step = 1;
    int i;

    if (text) return parse(text, out, err);
    if (whole(env("SLURM_ARRAY_TASK_ID"), &id)) return slurm(env, id, out, err);
    /* "undefined" and 0 where the job is no array. */
    if (whole(env("SGE_TASK_ID"), &id) && id > 0 && whole(env("SGE_TASK_LAST"), &last)) {
        if (!whole(env("SGE_TASK_FIRST"), &first)) first = 1;
        if (!whole(env("SGE_TASK_STEPSIZE"), &step)) step = 1;
        return number("SGE_TASK_ID", id, first, last, step, out, err);
    }
    if (whole(env("LSB_JOBINDEX"), &id) && id > 0 && whole(env("LSB_JOBINDEX_END"), &last)) {
        if (!whole(env("LSB_JOBINDEX_STEP"), &step)) step = 1;
        return number("LSB_JOBINDEX", id, 1, last, step, out, err);
    }
    for (i = 0; i < 2; i++)
        if (whole(env(pbs[i]), &id))
            return lp_fail(err, LP_EARG,
                           "%s=%ld: PBS does not tell how many tasks there are: give --shard "
                           "$%s/N, or --shard none",
                           pbs[i], id, pbs[i]);
    *out = (lp_shard){1, 1, NULL};
    return LP_OK;
}

uint64_t lp_shard_hash(const char *name)
{
    uint64_t h = 14695981039346656037u;

    for (; *name; name++) h = (h ^ (unsigned char)*name) * 1099511628211u;
    /* The low bits of FNV-1a alone are poor for names that differ in a digit. */
    h = (h ^ h >> 33) * 0xff51afd7ed558ccdu;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53u;
    return h ^ h >> 33;
}

int lp_shard_of(const char *name, int count)
{
    return (int)(lp_shard_hash(name) % (uint64_t)count) + 1;
}
