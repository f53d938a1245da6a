/* journal - .lipopose/records_2of4.jsonl: what a task did, one JSON record per line, in order.
 *
 * For people and plots; what a run skips and what `gather` counts is done.h's. Each line is one
 * write at the end of the file, so that a killed run cuts at most its last line, and the next one
 * begins on a line of its own. Two tasks with the same index write to the same file. */
#ifndef LP_JOURNAL_H
#define LP_JOURNAL_H

#include "shard.h"

/* Adds line, which has no line end, beside the results at base. LP_EIO; line may then be cut. */
lp_status lp_journal_add(const char *base, const lp_shard *shard, const char *line, lp_err *err);

#endif
