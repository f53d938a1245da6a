/* read_tiff_pages - where the full-resolution pages of a TIFF file lie.
 *
 * Walks the chain of directories itself: libtiff would read every tag of every page
 * on the way. A chain that runs in a circle ends where it would repeat. */
#ifndef LP_READ_TIFF_PAGES_H
#define LP_READ_TIFF_PAGES_H

#include "read_bytes.h"

#define LP_TIFF_MAX_PAGES 1000000

typedef struct {
    uint64_t *at; /* [n] byte offsets of the directories, owned */
    int n;
    int big_endian; /* of the file */
    int bigtiff;
    int broken; /* the chain ends outside the file: pages are missing */
} lp_tiff_pages;

/* The caller frees *p. Where no page is full-resolution, the first directory counts. Returns
 * LP_EFORMAT where the file has no directory at all. */
lp_status lp_tiff_pages_find(lp_bytes *b, lp_tiff_pages *p, lp_err *err);

/* Predictor tag of page (1 where absent): libtiff hides it where the page is not compressed. */
lp_status lp_tiff_pages_predictor(lp_bytes *b, const lp_tiff_pages *p, int page, int *predictor,
                                  lp_err *err);
void lp_tiff_pages_free(lp_tiff_pages *p);

#endif
