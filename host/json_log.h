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
    int page;                         /* 0-based */
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
} lp_json_record;

/* *line: the record, one line without line end; the caller frees. LP_ENOMEM. */
lp_status lp_json_format(const lp_json_record *r, char **line, lp_err *err);

#endif
