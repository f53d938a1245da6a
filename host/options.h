/* options - the command line of every command, from one table each.
 *
 * --a-b and --a_b are the same option; a value follows as the next word or after '='.
 * An option whose name is one letter is written "-o X" too.
 * A word that begins with "--" and a letter is no value, unless after '='. "--" ends the options.
 * What is no option is kept in order. */
#ifndef LP_OPTIONS_H
#define LP_OPTIONS_H

#include <stdio.h>

#include "status.h"

typedef enum {
    LP_OPT_ON,      /* int, set to 1 */
    LP_OPT_OFF,     /* int, set to 0 */
    LP_OPT_INT,     /* int */
    LP_OPT_DOUBLE,  /* double, finite */
    LP_OPT_DOUBLE2, /* double[2]: two words, or two numbers joined by ',' or ':' */
    LP_OPT_STRING,  /* const char *, into argv */
    LP_OPT_REFUSED, /* an error that says arg; not listed */
    LP_OPT_GROUP    /* a heading in the help, no option */
} lp_opt_kind;

typedef struct {
    const char *name; /* with underscores, without "--" */
    lp_opt_kind kind;
    void *value;      /* NULL: accepted, without effect */
    const char *arg;  /* name of the value in the help */
    const char *help; /* NULL: not listed */
} lp_option;

/* argv[1..argc-1]; table ends with name NULL. rest [argc] receives the other words, *n_rest
 * how many. seen (may be NULL): seen[i] is set to 1 where option i of the table was given.
 * LP_EARG with a message for an unknown option (and the nearest name), a missing or bad value. */
lp_status lp_options_parse(const lp_option *table, int argc, char **argv, char **rest, int *n_rest,
                           char *seen, lp_err *err);

/* Prints the table, one line per option. */
void lp_options_help(const lp_option *table, FILE *to);

#endif
