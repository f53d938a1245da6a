#include "segment_source.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "expected.h"

static int is_folder(const char *path)
{
    struct stat s;

    return !stat(path, &s) && S_ISDIR(s.st_mode);
}

static void tell_shard(const lp_shard *s, const char *count)
{
    fprintf(stderr, "lipopose: shard %d/%d%s%s%s%s%s\n", s->index, s->count, s->array ? " (" : "",
            s->array ? s->array : "", s->array ? ")" : "", count,
            s->array ? "; --shard none takes all" : "");
}

static lp_status start_watch(const lp_segment_source *s, lp_run_options *r, lp_inputs *in,
                             lp_err *err)
{
    lp_watch_options o = {s->names, s->n, s->find, r->shard, s->settle, s->timeout};
    lp_status st;
    int i;

    for (i = 0; i < s->n; i++)
        if (!is_folder(s->names[i]))
            return lp_fail(err, LP_EARG, "--watch: %s is no folder", s->names[i]);
    o.find.growing = 1;
    if ((st = lp_inputs_find(s->names, s->n, &o.find, in, err))) return st;
    if ((st = lp_watch_new(&o, &r->watch, err))) return st;
    if (r->shard.count > 1 && !r->quiet) tell_shard(&r->shard, "");
    return LP_OK;
}

lp_status lp_segment_source_find(const lp_segment_source *s, lp_run_options *r, lp_inputs *in,
                                 lp_err *err)
{
    /* What a script that runs once per file, as many job arrays do, names is not left out. */
    int one_file = s->n == 1 && !is_folder(s->names[0]), n;
    char count[64];
    lp_status st;

    if ((st = lp_shard_find(s->shard   ? s->shard
                            : one_file ? "none"
                                       : NULL,
                            getenv, &r->shard, err)))
        return st;
    if (s->watch) return start_watch(s, r, in, err);
    if ((st = lp_inputs_find(s->names, s->n, &s->find, in, err))) return st;
    n = in->n;
    /* What is expected is the list before it is cut. */
    if ((st = lp_expected_write(in, NULL, err)) || r->shard.count == 1) return st;
    lp_inputs_keep(in, r->shard.index, r->shard.count);
    snprintf(count, sizeof count, ": %d of %d images", in->n, n);
    if (!r->quiet) tell_shard(&r->shard, count);
    return LP_OK;
}
