/* cmd_eval - `lipopose eval --truth DIR --pred DIR`: predictions judged against labels. */
#ifndef LP_CMD_EVAL_H
#define LP_CMD_EVAL_H

/* argv[0] is the command's name. Returns the program's exit code (0, 1, 2 or 3). */
int lp_cmd_eval(int argc, char **argv);

#endif
