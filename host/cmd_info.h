/* cmd_info - `lipopose info FILE...`: what a model or an image is; --check runs a model's
 * self-test. */
#ifndef LP_CMD_INFO_H
#define LP_CMD_INFO_H

/* argv[0] is the command's name. Returns the program's exit code (0, 1, 2 or 3). */
int lp_cmd_info(int argc, char **argv);

#endif
