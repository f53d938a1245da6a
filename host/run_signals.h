/* run_signals - SIGINT, SIGTERM, SIGUSR1 and SIGHUP ask a run to stop.
 *
 * Once: after the current tiles. A queue may send the same signal several times (to a script that
 * passes it on, and to its children), so that only SIGINT, the second Ctrl-C, means at once. Under
 * nohup a closed terminal stops nothing. Of the whole process, so only a command's run uses it. */
#ifndef LP_RUN_SIGNALS_H
#define LP_RUN_SIGNALS_H

void lp_signals_catch(void);

/* The signal that asked to stop, or 0. */
int lp_signals_stop(void);

/* What follows is stopped at once. */
void lp_signals_leave(void);

#endif
