/* cmd_synth - the command `lipopose synth OUTDIR`. Prints; see `lipopose synth --help`. */
#ifndef LP_CMD_SYNTH_H
#define LP_CMD_SYNTH_H

/* argv[0] is the command's name. Returns the exit code: 0 all written, 1 a file failed,
 * 2 usage. */
int lp_cmd_synth(int argc, char **argv);

#endif
