/* segment_source - which images a run takes: files and folders, a part of them, or a watch. */
#ifndef LP_SEGMENT_SOURCE_H
#define LP_SEGMENT_SOURCE_H

#include "segment_run.h"
#include "watch.h"

typedef struct {
    char *const *names; /* [n] of files and folders */
    int n;
    lp_inputs_options find;
    const char *shard;      /* lp_shard_find; NULL: the environment's, but for a single file */
    int watch;              /* 1: names are folders that fill */
    double settle, timeout; /* of the watch, watch.h */
} lp_segment_source;

/* *in: the images that are this task's, none where its part is empty; of a watch, those that are
 * there now. What is expected is written down (expected.h). Sets r->shard and r->watch, the
 * caller's to free (lp_watch_free), as *in. LP_EARG, LP_EIO as lp_inputs_find and lp_watch_new. */
lp_status lp_segment_source_find(const lp_segment_source *s, lp_run_options *r, lp_inputs *in,
                                 lp_err *err);

#endif
