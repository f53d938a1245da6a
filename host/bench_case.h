/* bench_case - one case of `lipopose bench`: synthetic micrographs, and `segment` on them.
 *
 * The images are made by synth.h from a fixed seed and have the same bytes on every machine. A
 * round is a process of its own, `lipopose segment` with its usual output on the temporary folder:
 * what is measured is what users get, and its peak memory is its own. */
#ifndef LP_BENCH_CASE_H
#define LP_BENCH_CASE_H

#include <stdint.h>

#include "status.h"

typedef struct {
    const char *name;
    int images, size;             /* size x size px */
    const char *option, *value;   /* "--diameter", "30" */
    double particles_from, to_nm; /* diameters of what is drawn, 0.8 nm per pixel */
} lp_bench_case;

/* The standard cases, [*n]; quick: fewer and smaller, for a look. Their numbers are not comparable
 * with each other. */
const lp_bench_case *lp_bench_cases(int quick, int *n);

typedef struct cJSON lp_bench_json;

typedef struct {
    double total_s;         /* of the process, start to exit */
    double start_s;         /* of these, until the first image began: the model, the device */
    double work_s;          /* the rest */
    double cpu_s;           /* of processors, user and system */
    double peak_mib;        /* of the process */
    lp_bench_json *summary; /* the run's own (tally.h); owned */
    char described[500];    /* what it said that it runs on */
} lp_bench_round;

/* Makes the images of c in dir/NAME, unless they are there. LP_EIO, LP_ENOMEM. */
lp_status lp_bench_make(const lp_bench_case *c, const char *dir, lp_err *err);

/* One round. options [n_options]: further words of segment's command line. LP_ESIGNAL where a
 * signal (run_signals.h) ended it, LP_EIO where it failed: what it said is in the message. */
lp_status lp_bench_run(const lp_bench_case *c, const char *dir, char *const *options, int n_options,
                       lp_bench_round *out, lp_err *err);
void lp_bench_round_free(lp_bench_round *r);

/* Removes dir and what is in it. */
void lp_bench_remove(const char *dir);

#endif
