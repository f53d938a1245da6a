/* commands - what main() can run, and what the commands share.
 *
 * argv[0] is the command's name. Exit codes: 0 all done; 1 some inputs failed, each named
 * on stderr, the others are done; 2 usage; 3 a resource is missing; 128 + n a signal. */
#ifndef LP_COMMANDS_H
#define LP_COMMANDS_H

#include "status.h"

int lp_cmd_segment(int argc, char **argv);
/* The same for a command line of `cellpose` (argv[0] is the program), with two of its defaults:
 * _seg.npy is written, and --diameter 0 is the training's with a model that cannot estimate one. */
int lp_cmd_cellpose(int argc, char **argv);
int lp_cmd_gather(int argc, char **argv);
int lp_cmd_merge(int argc, char **argv);
int lp_cmd_view(int argc, char **argv);
int lp_cmd_convert(int argc, char **argv);
int lp_cmd_info(int argc, char **argv);
int lp_cmd_synth(int argc, char **argv);
int lp_cmd_eval(int argc, char **argv);
int lp_cmd_train(int argc, char **argv);
int lp_cmd_bench(int argc, char **argv);
int lp_cmd_crossval(int argc, char **argv);

#endif
