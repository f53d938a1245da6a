/* cmd_convert - `lipopose convert IN OUT`: Cellpose checkpoint to model file and back. */
#ifndef LP_CMD_CONVERT_H
#define LP_CMD_CONVERT_H

/* argv[0] is the command's name. Returns the program's exit code (0, 1, 2 or 3). */
int lp_cmd_convert(int argc, char **argv);

#endif
