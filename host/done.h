/* done - what is known of the images of earlier runs, so that a run does only what is missing.
 *
 * Beside the results of x lies .lipopose/x.json, the JSON record of the run that made them
 * (json_log.h). It is written last, when all results are there and on the disk, and removed before
 * the first of them is replaced. So, wherever a run is killed: where the record is, the results
 * are those of its run, whole. (Each is written as atomic.h says.) A failed image has a record too,
 * which says why; it is tried again.
 *
 * The folder .lipopose also holds
 *   lock            claim.h
 *   inputs_HASH     names of the images that a run was to do: expected.h
 *   records_*.jsonl the same records as a log, in order of time: journal.h
 * and may be deleted; all is then done again. Clocks are not compared with each other: an input has
 * changed where its size or its time of change is another one than recorded. */
#ifndef LP_DONE_H
#define LP_DONE_H

#include <stdint.h>

#include "status.h"

#define LP_DONE_FOLDER ".lipopose"

/* An input as it was before it was read. */
typedef struct {
    int64_t bytes;  /* -1: it is not there */
    char mtime[40]; /* "SECONDS.NANOSECONDS" since 1970, compared as text */
} lp_done_input;

lp_done_input lp_done_look(const char *image);

/* path [PATH_MAX]: DIR/.lipopose/name for results at base = DIR/x; name NULL: x.json. make: the
 * folder is made where it is not there. LP_EIO where that fails or the path is too long. */
lp_status lp_done_file(const char *base, const char *name, int make, char *path, lp_err *err);

typedef struct cJSON lp_done_json;

typedef struct {
    lp_done_json *json;                  /* the record; the strings below are in it */
    const char *file, *error, *settings; /* error NULL: done; settings "": not those of a run */
    lp_done_input input;
    int page, pages, only_page;        /* 1-based; pages of the file, 0 unknown; --page, or 0 */
    int64_t particles;                 /* -1 unknown */
    int Ly, Lx;                        /* 0 unknown */
    double pixel_nm, wall_s, peak_mib; /* 0 unknown */
} lp_done;

/* text [n], which need not end with 0. LP_EFORMAT for what is no such record. The caller frees. */
lp_status lp_done_parse(const char *text, size_t n, lp_done *out, lp_err *err);
/* The record of base; *out is empty (json NULL) where there is none, or none that can be read. */
void lp_done_read(const char *base, lp_done *out);
void lp_done_free(lp_done *d); /* NULL and empty are fine */

/* 1 where the record says that base was done with these settings from this input, and all that it
 * wrote is still there. */
int lp_done_holds(const lp_done *d, const char *base, const char *settings,
                  const lp_done_input *input);

/* 1 where all that the record's run wrote is still there. */
int lp_done_whole(const lp_done *d, const char *base);

/* The record, one line without line end. LP_EIO, LP_ENOMEM. */
lp_status lp_done_write(const char *base, const char *line, lp_err *err);
/* Before the first result is replaced. LP_EIO where a record is there and cannot be removed: it
 * would vouch for what is not its run's. */
lp_status lp_done_forget(const char *base, lp_err *err);

#endif
