#include "options.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Options are compared as if '-' were '_'. */
static int same(const char *a, const char *b, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        char x = a[i] == '-' ? '_' : a[i], y = b[i];

        if (x != y) return 0;
    }
    return b[n] == 0;
}

static int begins(const char *a, size_t n, const char *b)
{
    size_t i;

    for (i = 0; i < n; i++)
        if ((a[i] == '-' ? '_' : a[i]) != b[i]) return 0;
    return 1;
}

/* Levenshtein distance, for the suggestion. */
static int distance(const char *a, size_t na, const char *b)
{
    int row[64];
    size_t nb = strlen(b), i, j;

    if (nb >= 64) return 99;
    for (j = 0; j <= nb; j++) row[j] = (int)j;
    for (i = 0; i < na; i++) {
        int diag = row[0];

        row[0] = (int)i + 1;
        for (j = 0; j < nb; j++) {
            int up = row[j + 1], best = diag + ((a[i] == '-' ? '_' : a[i]) != b[j]);

            if (up + 1 < best) best = up + 1;
            if (row[j] + 1 < best) best = row[j] + 1;
            diag = up;
            row[j + 1] = best;
        }
    }
    return row[nb];
}

static lp_status unknown(const lp_option *table, const char *word, size_t n, lp_err *err)
{
    const lp_option *o, *near = NULL;
    int best = 4;

    for (o = table; o->name; o++) {
        int d =
            o->kind == LP_OPT_GROUP || !o->help || !o->name[1] ? 99 : distance(word, n, o->name);

        if (d < 99 && n > 2 && begins(word, n, o->name)) d = 0;

        if (d < best) {
            best = d;
            near = o;
        }
    }
    if (near)
        return lp_fail(err, LP_EARG, "unknown option --%.*s: did you mean --%s?", (int)n, word,
                       near->name);
    return lp_fail(err, LP_EARG, "unknown option --%.*s: --help lists them", (int)n, word);
}

static int number(const char *s, char **end, double *v)
{
    errno = 0;
    *v = strtod(s, end);
    return *end != s && errno == 0 && isfinite(*v);
}

/* "--x" is an option that was meant to follow the value, "-1" a value. */
static int is_option(const char *s)
{
    return s[0] == '-' && s[1] == '-' && s[2];
}

/* "-o", where the table has an option of that one letter. */
static int has_letter(const lp_option *table, const char *word)
{
    for (; table->name; table++)
        if (table->kind != LP_OPT_GROUP && !strcmp(table->name, word + 1) && !word[2]) return 1;
    return 0;
}

static const char *dashes(const lp_option *o)
{
    return o->name[1] ? "--" : "-";
}

static lp_status take(const lp_option *o, const char *value, const char *second, int *used_second,
                      lp_err *err)
{
    char *end;
    double v, w;
    long l;

    switch (o->kind) {
    case LP_OPT_INT:
        errno = 0;
        l = strtol(value, &end, 10);
        if (end == value || *end || errno || l < -2147483647L || l > 2147483647L)
            return lp_fail(err, LP_EARG, "--%s %s: not a whole number", o->name, value);
        if (o->value) *(int *)o->value = (int)l;
        break;
    case LP_OPT_DOUBLE:
        if (!number(value, &end, &v) || *end)
            return lp_fail(err, LP_EARG, "--%s %s: not a number", o->name, value);
        if (o->value) *(double *)o->value = v;
        break;
    case LP_OPT_DOUBLE2:
        if (!number(value, &end, &v))
            return lp_fail(err, LP_EARG, "--%s %s: not a number", o->name, value);
        if (*end == ',' || *end == ':') {
            second = end + 1;
        } else if (*end || !second) {
            return lp_fail(err, LP_EARG, "--%s: needs two numbers", o->name);
        } else {
            *used_second = 1;
        }
        if (!number(second, &end, &w) || *end)
            return lp_fail(err, LP_EARG, "--%s %s: not a number", o->name, second);
        if (o->value) {
            ((double *)o->value)[0] = v;
            ((double *)o->value)[1] = w;
        }
        break;
    default:
        if (o->value) *(const char **)o->value = value;
    }
    return LP_OK;
}

lp_status lp_options_parse(const lp_option *table, int argc, char **argv, char **rest, int *n_rest,
                           char *seen, lp_err *err)
{
    int i, n = 0, only_rest = 0;

    for (i = 1; i < argc; i++) {
        const char *word = argv[i] + 2, *eq = strchr(argv[i], '=');
        size_t len = eq ? (size_t)(eq - word) : strlen(argv[i]) - 2;
        const lp_option *o;
        int used_second = 0;
        lp_status st;

        if (only_rest || argv[i][0] != '-' || !argv[i][1]) {
            rest[n++] = argv[i];
            continue;
        }
        if (argv[i][1] != '-') {
            int help = !strcmp(argv[i], "-h");

            if (!help && !has_letter(table, argv[i]))
                return lp_fail(err, LP_EARG, "unknown option %s: --help lists them", argv[i]);
            word = help ? "help" : argv[i] + 1;
            len = help ? 4 : 1;
            eq = NULL;
        }
        if (!strcmp(argv[i], "--")) {
            only_rest = 1;
            continue;
        }
        for (o = table; o->name; o++)
            if (o->kind != LP_OPT_GROUP && same(word, o->name, len)) break;
        if (!o->name) return unknown(table, word, len, err);
        if (o->kind == LP_OPT_REFUSED) return lp_fail(err, LP_EARG, "--%s: %s", o->name, o->arg);
        if (seen) seen[o - table] = 1;
        if (o->kind == LP_OPT_ON || o->kind == LP_OPT_OFF) {
            if (eq) return lp_fail(err, LP_EARG, "--%s: takes no value", o->name);
            if (o->value) *(int *)o->value = o->kind == LP_OPT_ON;
            continue;
        }
        if (!eq && (i + 1 >= argc || is_option(argv[i + 1])))
            return lp_fail(err, LP_EARG, "%s%s: needs a value (%s)", dashes(o), o->name,
                           o->arg ? o->arg : "X");
        st = take(o, eq ? eq + 1 : argv[i + 1], eq ? NULL : (i + 2 < argc ? argv[i + 2] : NULL),
                  &used_second, err);
        if (st) return st;
        i += (eq ? 0 : 1) + used_second;
    }
    *n_rest = n;
    return LP_OK;
}

void lp_options_help(const lp_option *table, FILE *to)
{
    const lp_option *o;

    for (o = table; o->name; o++) {
        char left[64];

        if (o->kind == LP_OPT_GROUP) {
            fprintf(to, "\n%s\n", o->name);
            continue;
        }
        if (!o->help) continue;
        snprintf(left, sizeof left, "%s%s%s%s", dashes(o), o->name, o->arg ? " " : "",
                 o->arg ? o->arg : "");
        fprintf(to, "  %-31s %s\n", left, o->help);
    }
}
