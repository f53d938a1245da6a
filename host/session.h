/* session - the steps of lp_segment, for segmenting one image at several diameters.
 *
 * What does not depend on the diameter (channels, normalisation, the copy to the device) is in
 * lp_session_prepare and is done once. */
#ifndef LP_SESSION_H
#define LP_SESSION_H

#include "backend.h"
#include "lipopose.h"

/* Sets the threads of the session; returns how many there were, for omp_set_num_threads. */
int lp_session_enter(const lp_session *s);

/* Checks the options; channels chosen and normalised, on the device: *img, freed with
 * lp_session_release. Sets flat_channels and adds to seconds of *r. */
lp_status lp_session_prepare(lp_session *s, const float *image, int nchan, int Ly, int Lx,
                             const lp_segment_options *o, lp_buf **img, lp_result *r, lp_err *err);

/* Segments *img at r->diameter into the rest of *r, adding to its seconds. keep 0: frees *img as
 * soon as the network is through. On failure *r is to be freed like on success. */
lp_status lp_session_at(lp_session *s, lp_buf **img, int keep, int Ly, int Lx,
                        const lp_segment_options *o, lp_result *r, lp_err *err);

void lp_session_release(lp_session *s, lp_buf **img);

#endif
