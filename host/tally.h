/* tally - what a run has done so far, and what it says of that at its end. */
#ifndef LP_TALLY_H
#define LP_TALLY_H

#include <stdio.h>

#include "results.h"

typedef struct {
    int done, skipped;
    int failed;          /* and not done since, as under a watch */
    char **failed_base;  /* [failed] owned, NULL without memory for it */
    int empty, doubtful; /* of done: nothing found; lp_results_doubtful */
    int64_t particles, pixels;
    double stage[LP_T_NSTAGES + 2]; /* seconds, summed over the images: more than passed by */
    const char *stage_name[LP_T_NSTAGES + 2];
    int n_stages;
    double *diameters; /* [n_diameters] equivalent diameters of all particles, px; owned */
    int64_t n_diameters, room;
    int side;   /* images at a time; 0: not known */
    double cpu; /* share of the CPUs' time that was used, 0 to 1; NaN: not known */
    struct {
        int gpu;
        double network, busy; /* seconds that it worked on the network; on anything */
        int64_t batches, tiles;
    } device[LP_RUN_GPUS]; /* those that share batches */
    int n_devices;
} lp_tally;

/* One image is done. */
void lp_tally_add(lp_tally *t, const lp_results *res);
/* The image whose results begin with base failed, perhaps again; or it is in order now. */
void lp_tally_fail(lp_tally *t, const char *base);
void lp_tally_mend(lp_tally *t, const char *base);
void lp_tally_free(lp_tally *t);

/* The stage that would take longest if it had all workers (the network: all GPUs) and nothing else
 * were to do: its place in t->stage and those seconds; -1 where nothing was measured. The run
 * cannot be faster with the same stages. */
int lp_tally_busiest(const lp_tally *t, double *seconds);

/* The closing lines: counts, where results lie, rates, what may be wrong. seconds: of the run. */
void lp_tally_print(lp_tally *t, const lp_run_options *o, double seconds, FILE *to);

/* The same as one JSON object, {"summary": {...}}, for the journal. signal: that stopped the run,
 * or 0. *line is the caller's. LP_ENOMEM. */
lp_status lp_tally_json(const lp_tally *t, double seconds, int signal, char **line, lp_err *err);

#endif
