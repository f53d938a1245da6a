/* gather - the results of all shards and runs of a folder in one table and one summary.
 *
 * What is there is told by the records (done.h), what should be there by the lists of the runs
 * (expected.h), both of the folder and of the folders in it. Everything that is not joined is named
 * with a reason: nothing is left out in silence. */
#ifndef LP_GATHER_H
#define LP_GATHER_H

#include "done.h"

typedef enum {
    LP_GATHER_DONE,
    LP_GATHER_FAILED, /* why: the run's message */
    LP_GATHER_GONE,   /* recorded, but results are missing or cannot be joined: why */
} lp_gather_state;

/* A record: an image, or a page of one. */
typedef struct {
    char *base;  /* DIR/x: its results begin so; owned */
    char *name;  /* x, or FOLDER/x; in base */
    char *image; /* file name of the image, with FOLDER/; owned */
    char why[400];
    lp_gather_state state;
    lp_done record;
} lp_gathered;

typedef struct {
    lp_gathered *item; /* [n] by folder, then in natural order */
    int n;
    char **missing; /* [n_missing] names that a run was to do, without any record, or "x page 3" */
    int n_missing;
    char **unrecorded; /* [n_unrecorded] names with a table but no record: not a finished run's */
    int n_unrecorded;
    int64_t rows; /* particles joined */
} lp_gather;

#define LP_GATHER_CSV "lipopose_gathered.csv"
#define LP_GATHER_JSON "lipopose_gathered.json"

/* LP_EARG where dir has no records, LP_EIO where it or a list cannot be read. The caller frees. */
lp_status lp_gather_find(const char *dir, lp_gather *out, lp_err *err);
void lp_gather_free(lp_gather *g);

/* How many items are in a state. */
int lp_gather_count(const lp_gather *g, lp_gather_state state);

/* Writes the tables of all done images to path, one below the other, with image and page before the
 * columns of write_csv.h, and sets rows. An image whose table cannot be read, or has other columns
 * (another lipopose's), becomes GONE. */
lp_status lp_gather_write_csv(lp_gather *g, const char *path, lp_err *err);

/* Counts, sums of seconds by stage, the names of what is missing, failed, gone and unrecorded, how
 * many images were made with which settings, and all records. */
lp_status lp_gather_write_json(const lp_gather *g, const char *path, lp_err *err);

#endif
