#!/usr/bin/env python3
"""One run of many diameters against single runs of each, process start to exit.

    python bench/diameters.py [--program build/lipopose ...] [--diameters 20:150:5] IMAGE ...

Prints seconds on the clock, of the processors, and the peak memory; medians over the rounds, of
all programs in turn. On a busy machine look at the processors' seconds: what a program waits
for a core is not in them, but neither are cores that it leaves idle."""
import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time


def run(command):
    """Wall seconds, processor seconds, peak MiB."""
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        os.execv(command[0], command)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit('failed: ' + ' '.join(command))
    return time.monotonic() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--program', action='append', help='may be repeated: before and after')
    parser.add_argument('--diameters', default='20:150:5', help='MIN:MAX:STEP')
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--many_only', action='store_true', help='no single runs')
    parser.add_argument('--option', action='append', default=[], help='passed on, --option=--X=Y')
    parser.add_argument('image', nargs='+')
    args = parser.parse_args()
    low, high, step = map(float, args.diameters.split(':'))
    single = [low + i * step for i in range(int((high - low) / step + 1e-9) + 1)]
    programs = args.program or ['build/lipopose']
    folder = tempfile.mkdtemp(prefix='lipopose-bench-')
    print(f'{len(single)} diameters, {len(args.image)} images, {args.rounds} rounds, '
          f'load {os.getloadavg()[0]:.1f}, {os.cpu_count()} threads')
    try:
        for image in args.image:
            got = {}
            for _ in range(args.rounds):
                for program in programs:
                    base = [os.path.abspath(program), 'segment', '--savedir', folder,
                            *args.option]
                    got.setdefault((program, 'one run'), []).append(
                        run([*base, '--diameters', args.diameters, image]))
                    if args.many_only:
                        continue
                    each = [run([*base, '--diameter', str(d), image]) for d in single]
                    got.setdefault((program, 'single runs'), []).append(
                        (sum(e[0] for e in each), sum(e[1] for e in each),
                         max(e[2] for e in each)))
            for (program, what), rows in got.items():
                wall, cpu, peak = (statistics.median(r[k] for r in rows) for k in range(3))
                print(f'{os.path.basename(image)}  {program}  {what:11}  {wall:7.2f} s  '
                      f'processors {cpu:7.2f} s  peak {peak:5.0f} MiB')
    finally:
        shutil.rmtree(folder)
    print(f'load {os.getloadavg()[0]:.1f}')


if __name__ == '__main__':
    main()
