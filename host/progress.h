/* progress - how far a run is, for people.
 *
 * On a terminal one line is redrawn in place at most ten times a second, cut to the width
 * of the terminal; elsewhere plain lines at most every few seconds, and one per finished
 * image. No escape sequences in either. All functions may be called from any thread and
 * with p = NULL (they then do nothing), so that a quiet run needs no special case. */
#ifndef LP_PROGRESS_H
#define LP_PROGRESS_H

#include <stdint.h>
#include <stdio.h>

typedef struct lp_progress lp_progress;

typedef enum {
    LP_PROGRESS_AUTO, /* terminal or log, by isatty(out) */
    LP_PROGRESS_TERMINAL,
    LP_PROGRESS_LOG,
    LP_PROGRESS_QUIET
} lp_progress_mode;

/* out is usually stderr and stays the caller's. NULL where memory is short. */
lp_progress *lp_progress_new(FILE *out, lp_progress_mode mode);
/* Removes the line from a terminal, frees and clears *p. */
void lp_progress_free(lp_progress **p);

/* More work is known: add before it is done. The time runs from the first call. */
void lp_progress_add_total(lp_progress *p, int64_t images, int64_t tiles);
void lp_progress_image_start(lp_progress *p, const char *name);
void lp_progress_tiles_done(lp_progress *p, int64_t tiles);
/* summary: e.g. "25 particles"; in a log it becomes "[12/40] NAME: SUMMARY". NULL: no line, for
 * an image whose failure lp_progress_message has told. */
void lp_progress_image_done(lp_progress *p, const char *name, const char *summary);
/* Nothing is being done, for the reason in text, which takes the line's place on a terminal; a log
 * has it at most once a minute, and not twice without an image in between. */
void lp_progress_waiting(lp_progress *p, const char *text);
/* One line of its own, also in a quiet run: for warnings and errors. */
void lp_progress_message(lp_progress *p, const char *text);

/* What a line says; pure, for tests. */
typedef struct {
    int64_t images, images_total, tiles, tiles_total;
    double seconds;   /* since the start */
    const char *name; /* current image, may be NULL */
} lp_progress_state;

/* "[==>   ] 12/40 micrographs  340/1200 tiles  85 tiles/s  ETA 00:31  name" with at most
 * width columns (at least 20), NUL-terminated into buf [cap]; bar = 0 leaves the bar away.
 * Bytes below 32 and 127 in the name become '?'. */
void lp_progress_format(char *buf, size_t cap, const lp_progress_state *s, int width, int bar);

#endif
