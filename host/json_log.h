/* json_log - one machine-readable record per image: JSON lines.
 *
 * Keys are always all there; what is not known is null (NaN and infinities too). Numbers
 * have '.' in any locale. File names are bytes: those that are not UTF-8 are written as
 * \xNN (backslash, x, two hex digits), so every line is valid JSON. */
#ifndef LP_JSON_LOG_H
#define LP_JSON_LOG_H

#include <stdint.h>

#include "lipopose.h"
#include "status.h"

typedef struct {
    const char *name; /* e.g. "read", "net", "masks", "write" */
    double seconds;
} lp_json_stage;

typedef struct {
    const char *file;
    int page;                         /* 1-based */
    const char *error;                /* NULL: status "ok"; else status "failed" and the message */
    int64_t particles;                /* < 0: null */
    double diameter;                  /* px */
    const lp_diameters_result *found; /* of several diameters -> "diameters": [px], and where they
                                         were chosen, "pilot"; NULL: null */
    int Ly, Lx;                       /* 0: null */
    double pixel_nm;                  /* <= 0: null */
    const lp_json_stage *stages;      /* [n_stages] -> "seconds": {name: seconds, ...} */
    int n_stages;
    const char *const *outputs; /* [n_outputs] paths */
    int n_outputs;
    int pages, only_page; /* of the file; the one that was asked for (1-based), 0: all -> null */
    int64_t bytes;        /* of the file as it was read; with mtime NULL: null */
    const char *mtime;    /* "SECONDS.NANOSECONDS" since 1970 */
    const char *settings; /* SHA-256 of what defines the results (fingerprint.h); NULL: null */
    const char *shard;    /* "2/4", or NULL */
    int skipped;          /* 1: done by an earlier run, whose record this is */
    double wall_s;        /* from reading to the last result; NaN: null */
    double began;         /* s since 1970, by this machine's clock; NaN: null */
    double started_s;     /* s since the run began; NaN: null */
    int worker;           /* which of the run's, from 1; 0: null */
    const char *process;  /* "HOST:PID", or NULL */
    double peak_mib;      /* the most memory that the process had used until then; 0: null */
} lp_json_record;

struct cJSON;

/* The most memory that this process has used so far, MiB; 0 unknown. */
double lp_json_peak_mib(void);

/* Text as a JSON string, bytes that are not UTF-8 as above; NULL without memory. */
struct cJSON *lp_json_text(const char *s);

/* A parsed record as a line again, now with "skipped":true; the caller frees; NULL without memory.
 */
char *lp_json_skipped(struct cJSON *record);

/* *line: the record, one line without line end; the caller frees. LP_ENOMEM. */
lp_status lp_json_format(const lp_json_record *r, char **line, lp_err *err);

#endif
