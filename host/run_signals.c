#include "run_signals.h"

#include <signal.h>
#include <stddef.h>

/* The signal that asked to stop, or 0. */
static volatile sig_atomic_t stop_signal;

static void on_signal(int n)
{
    if (!stop_signal) {
        stop_signal = n;
    } else if (n == SIGINT) {
        signal(n, SIG_DFL);
        raise(n); /* comes with the return from here */
    }
}

static const int signals[] = {SIGINT, SIGTERM, SIGUSR1, SIGHUP};

int lp_signals_stop(void)
{
    return stop_signal;
}

void lp_signals_catch(void)
{
    struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART}, old;
    size_t i;

    for (i = 0; i < sizeof signals / sizeof *signals; i++)
        if (signals[i] != SIGHUP || (!sigaction(SIGHUP, NULL, &old) && old.sa_handler != SIG_IGN))
            sigaction(signals[i], &sa, NULL);
}

void lp_signals_leave(void)
{
    struct sigaction now;
    size_t i;

    for (i = 0; i < sizeof signals / sizeof *signals; i++)
        if (!sigaction(signals[i], NULL, &now) && now.sa_handler == on_signal)
            signal(signals[i], SIG_DFL);
}
