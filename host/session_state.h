/* session_state - what a session is made of. Only session.c and session_size.c include this. */
#ifndef LP_SESSION_STATE_H
#define LP_SESSION_STATE_H

#include <stdatomic.h>

#include "session.h"

/* What sessions on the same network share. */
typedef struct {
    atomic_int users;
    const lp_backend *be;
    lp_backend_options open;
    lp_device *dev; /* on which the network was made */
    lp_net *net;
    lp_net_batch *batch; /* of all of them; NULL: each has its own */
    int nchan, style_length, threads;
    double diam_mean, diam_labels, diam_range[2];
    lp_size_model *size; /* NULL where the model has none */
    char text[256];
} lp_session_shared;

struct lp_session {
    lp_session_shared *s;
    lp_device *dev; /* its own */
    double pixels;  /* of tiles in shared batches, not yet told by lp_session_times */
};

/* Estimates the diameter: r->diameter, diameter_style and seconds. The session has a size model. */
lp_status lp_session_size(lp_session *s, const lp_buf *img, int Ly, int Lx,
                          const lp_segment_options *o, lp_result *r, lp_err *err);

#endif
