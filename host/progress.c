#include "progress.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define REDRAW_S 0.1 /* on a terminal */
#define LINE_S 5.0   /* in a log */
#define WAITING_S 60 /* in a log, of lines that it waits */
#define BAR 20

struct lp_progress {
    pthread_mutex_t lock;
    FILE *out;
    lp_progress_mode mode;
    lp_progress_state s;
    char name[256];
    double started, shown; /* seconds; 0 = not yet */
    double waiting;        /* when it was last said that it waits; 0 = not yet */
    int64_t waiting_images;
    int columns; /* of the line that stands on the terminal */
};

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int is_start(char c) /* of a UTF-8 character */
{
    return ((unsigned char)c & 0xC0) != 0x80;
}

static int columns(const char *s)
{
    int n = 0;

    for (; *s; s++) n += is_start(*s);
    return n;
}

/* Ends s after at most width characters, never inside one. */
static void cut(char *s, int width)
{
    int n = 0;

    for (; *s; s++) {
        if (is_start(*s) && n++ == width) break;
    }
    *s = 0;
}

static void one_line(char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < 32 || *s == 127) *s = '?';
}

/* Fraction done: tiles where they are known, else images. */
static double fraction(const lp_progress_state *s)
{
    double f = s->tiles_total > 0    ? (double)s->tiles / (double)s->tiles_total
               : s->images_total > 0 ? (double)s->images / (double)s->images_total
                                     : 0;

    return f > 1 ? 1 : f;
}

static void format_time(char *buf, size_t cap, double seconds)
{
    long t = seconds < 3.6e6 ? (long)(seconds + 0.5) : 3600000;

    if (t >= 3600)
        snprintf(buf, cap, "%ld:%02ld:%02ld", t / 3600, t / 60 % 60, t % 60);
    else
        snprintf(buf, cap, "%02ld:%02ld", t / 60, t % 60);
}

void lp_progress_format(char *buf, size_t cap, const lp_progress_state *s, int width, int bar)
{
    char line[1024], t[32];
    double f = fraction(s);
    size_t n = 0;

#define ADD(...)                                                                                   \
    do {                                                                                           \
        if (n < sizeof line) n += (size_t)snprintf(line + n, sizeof line - n, __VA_ARGS__);        \
    } while (0)
    if (bar) {
        char b[BAR + 1];
        int k = (int)(f * BAR);

        memset(b, ' ', BAR);
        memset(b, '=', (size_t)k);
        if (k < BAR) b[k] = '>';
        b[BAR] = 0;
        ADD("[%s] ", b);
    }
    ADD("%lld/%lld micrographs", (long long)s->images, (long long)s->images_total);
    if (s->tiles_total > 0)
        ADD("  %lld/%lld tiles", (long long)s->tiles, (long long)s->tiles_total);
    if (s->tiles > 0 && s->seconds > 0) {
        double rate = (double)s->tiles / s->seconds;

        /* Whole numbers: a decimal mark would follow the locale. */
        if (rate >= 1)
            ADD("  %.0f tiles/s", rate);
        else
            ADD("  %.0f s/tile", 1 / rate);
    }
    if (f > 0 && f < 1 && s->seconds > 0) {
        format_time(t, sizeof t, s->seconds * (1 - f) / f);
        ADD("  ETA %s", t);
    }
    if (s->name && *s->name) ADD("  %.255s", s->name);
#undef ADD
    one_line(line);
    cut(line, width < 20 ? 20 : width);
    snprintf(buf, cap, "%s", line);
}

lp_progress *lp_progress_new(FILE *out, lp_progress_mode mode)
{
    lp_progress *p = calloc(1, sizeof *p);

    if (!p) return NULL;
    if (pthread_mutex_init(&p->lock, NULL)) {
        free(p);
        return NULL;
    }
    p->out = out;
    p->mode = mode != LP_PROGRESS_AUTO ? mode
              : isatty(fileno(out))    ? LP_PROGRESS_TERMINAL
                                       : LP_PROGRESS_LOG;
    p->s.name = p->name;
    return p;
}

/* The functions below are called with the lock held. */

static int terminal_width(const lp_progress *p)
{
    struct winsize w;

    if (ioctl(fileno(p->out), TIOCGWINSZ, &w) == 0 && w.ws_col > 1) return w.ws_col - 1;
    return 79; /* a full line would wrap, hence one less than the width */
}

static void wipe(lp_progress *p)
{
    if (!p->columns) return;
    fprintf(p->out, "\r%*s\r", p->columns, "");
    p->columns = 0;
}

/* In the place of the line that stands on the terminal, blanks over what that had more. */
static void draw(lp_progress *p, const char *line)
{
    int n = columns(line);

    fprintf(p->out, "\r%s%*s", line, p->columns > n ? p->columns - n : 0, "");
    p->columns = n;
}

static void show(lp_progress *p, int now_please)
{
    double t = now(), wait = p->mode == LP_PROGRESS_TERMINAL ? REDRAW_S : LINE_S;
    char line[1024];

    if (p->mode == LP_PROGRESS_QUIET) return;
    if (p->started == 0) p->started = t;
    if (p->shown == 0) p->shown = p->mode == LP_PROGRESS_LOG ? t : t - wait;
    if (!now_please && t - p->shown < wait) return;
    p->shown = t;
    p->s.seconds = t - p->started;
    if (p->mode == LP_PROGRESS_LOG) {
        lp_progress_format(line, sizeof line, &p->s, 1000, 0);
        fprintf(p->out, "%s\n", line);
    } else {
        lp_progress_format(line, sizeof line, &p->s, terminal_width(p), 1);
        draw(p, line);
    }
    fflush(p->out);
}

static void set_name(lp_progress *p, const char *name)
{
    const char *slash = strrchr(name, '/');

    snprintf(p->name, sizeof p->name, "%s", slash ? slash + 1 : name);
}

void lp_progress_free(lp_progress **pp)
{
    lp_progress *p = pp ? *pp : NULL;

    if (!p) return;
    wipe(p);
    fflush(p->out);
    pthread_mutex_destroy(&p->lock);
    free(p);
    *pp = NULL;
}

void lp_progress_add_total(lp_progress *p, int64_t images, int64_t tiles)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->s.images_total += images;
    p->s.tiles_total += tiles;
    /* What is left away may be the last that there was. */
    show(p, p->mode == LP_PROGRESS_TERMINAL && images < 0 && p->s.images == p->s.images_total);
    pthread_mutex_unlock(&p->lock);
}

void lp_progress_image_start(lp_progress *p, const char *name)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    set_name(p, name);
    show(p, 0);
    pthread_mutex_unlock(&p->lock);
}

void lp_progress_tiles_done(lp_progress *p, int64_t tiles)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->s.tiles += tiles;
    show(p, 0);
    pthread_mutex_unlock(&p->lock);
}

void lp_progress_image_done(lp_progress *p, const char *name, const char *summary)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    p->s.images++;
    set_name(p, name);
    if (p->mode == LP_PROGRESS_LOG && summary) {
        fprintf(p->out, "[%lld/%lld] %s: %s\n", (long long)p->s.images,
                (long long)p->s.images_total, name, summary);
        fflush(p->out);
    }
    show(p, p->mode == LP_PROGRESS_TERMINAL && p->s.images == p->s.images_total);
    pthread_mutex_unlock(&p->lock);
}

static void say_waiting(lp_progress *p, const char *text)
{
    char line[1024];
    double t = now();

    if (p->mode == LP_PROGRESS_TERMINAL) {
        snprintf(line, sizeof line, "%s", text);
        one_line(line);
        cut(line, terminal_width(p));
        draw(p, line);
    } else if (p->waiting == 0 ||
               (t - p->waiting >= WAITING_S && p->s.images != p->waiting_images)) {
        fprintf(p->out, "lipopose: %s\n", text);
        p->waiting = t;
        p->waiting_images = p->s.images;
    }
    fflush(p->out);
}

void lp_progress_waiting(lp_progress *p, const char *text)
{
    if (!p || p->mode == LP_PROGRESS_QUIET) return;
    pthread_mutex_lock(&p->lock);
    say_waiting(p, text);
    pthread_mutex_unlock(&p->lock);
}

void lp_progress_message(lp_progress *p, const char *text)
{
    if (!p) return;
    pthread_mutex_lock(&p->lock);
    wipe(p);
    fprintf(p->out, "%s\n", text);
    fflush(p->out);
    if (p->mode == LP_PROGRESS_TERMINAL && p->started > 0) show(p, 1);
    pthread_mutex_unlock(&p->lock);
}
