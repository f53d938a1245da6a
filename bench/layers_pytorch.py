#!/usr/bin/env python3
"""The layers of bench_kernels_cuda in PyTorch: channels last, bfloat16, on the same card.

    python bench/layers_pytorch.py [--tiles 64] [--bsize 224] [--rounds 20] [--compile]

Each line is one convolution of Cellpose's network with what its code has around it: batch norm,
ReLU, 3x3 convolution, and the sum with a projection (1x1, batch norm), a residual or a skip
connection. cuDNN tries its algorithms beforehand and keeps the fastest. --compile: by
torch.compile, which joins what stands between convolutions. Median of the rounds. --device cpu
only shows that it runs.
"""
import argparse
import time

import torch
from torch import nn
from torch.nn import functional as F

WIDTH = (32, 64, 128, 256)


class Layer(nn.Module):
    """conv(relu(bn(x))) [+ projection of p] [+ what is given]; up: x and p are doubled first."""

    def __init__(self, cin, cout, cp=0, up=False, relu=True):
        super().__init__()
        self.bn = nn.BatchNorm2d(cin)
        self.conv = nn.Conv2d(cin, cout, 3, padding=1)
        self.proj = nn.Sequential(nn.BatchNorm2d(cp), nn.Conv2d(cp, cout, 1)) if cp else None
        self.up, self.relu = up, relu

    def forward(self, x, p=None, res=None):
        if self.up:
            x = F.interpolate(x, scale_factor=2, mode="nearest")
        x = self.bn(x)
        y = self.conv(F.relu(x) if self.relu else x)
        if p is not None:
            y = y + self.proj(p)
        return y if res is None else y + res


def layers():
    """name, level, Layer, channels of p or 0, whether there is a sum."""
    for l, c in enumerate(WIDTH):
        before = WIDTH[l - 1] if l else 2
        yield f"down{l} {'conv0' if l else 'first'}", l, Layer(before, c, relu=l > 0), 0, False
        yield f"down{l} conv1", l, Layer(c, c, cp=before), before, False
        yield f"down{l} conv2", l, Layer(c, c), 0, False
        yield f"down{l} conv3", l, Layer(c, c), 0, True
    for l in reversed(range(len(WIDTH))):
        c, deepest = WIDTH[l], l + 1 == len(WIDTH)
        below = c if deepest else WIDTH[l + 1]
        yield f"up{l} conv0", l, Layer(below, c, up=not deepest), 0, True
        yield f"up{l} conv1", l, Layer(c, c, cp=below), below, False
        yield f"up{l} conv2", l, Layer(c, c), 0, False
        yield f"up{l} conv3", l, Layer(c, c), 0, True


def milliseconds(f, rounds, cuda):
    """Median of the rounds, after some uncounted ones."""
    t = []
    for r in range(-3, rounds):
        if cuda:
            a, b = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            a.record()
            f()
            b.record()
            b.synchronize()
            ms = a.elapsed_time(b)
        else:
            start = time.perf_counter()
            f()
            ms = 1e3 * (time.perf_counter() - start)
        if r >= 0:
            t.append(ms)
    return sorted(t)[rounds // 2]


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--tiles", type=int, default=64)
    ap.add_argument("--bsize", type=int, default=224)
    ap.add_argument("--rounds", type=int, default=20)
    ap.add_argument("--compile", action="store_true")
    ap.add_argument("--device", default="cuda")
    a = ap.parse_args()
    cuda = a.device.startswith("cuda")
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.deterministic = False
    what = torch.cuda.get_device_name() if cuda else "CPU"
    print(f"{what}, PyTorch {torch.__version__}, {a.tiles} tiles of {a.bsize} x {a.bsize}, bf16, channels last"
          + (", compiled" if a.compile else ""))
    total = 0

    def tensor(c, side):
        t = torch.zeros(a.tiles, c, side, side, dtype=torch.bfloat16, device=a.device)
        return t.contiguous(memory_format=torch.channels_last)

    for name, level, layer, cp, sums in layers():
        side = a.bsize >> level
        layer = layer.eval().to(device=a.device, dtype=torch.bfloat16, memory_format=torch.channels_last)
        run = torch.compile(layer) if a.compile else layer
        conv = layer.conv
        half = side // 2 if layer.up else side
        x = tensor(conv.in_channels, half)
        p = tensor(cp, side) if cp else None
        res = tensor(conv.out_channels, side) if sums else None
        with torch.inference_mode():
            ms = milliseconds(lambda: run(x, p, res), a.rounds, cuda)
        flop = 2 * a.tiles * side * side * conv.out_channels * (9 * conv.in_channels + cp)
        print(f"{name:<14} torch {1e3 * ms / a.tiles:9.3f} us/tile {flop / ms * 1e-9:8.1f} TFLOP/s", flush=True)
        total += ms
    print(f"{'sum of torch':<20} {1e3 * total / a.tiles:9.3f} us/tile {1e3 * a.tiles / total:8.0f} tiles/s")


if __name__ == "__main__":
    main()
