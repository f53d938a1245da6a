"""One training step of Cellpose 3 (train.py, train_seg): the peer of bench_train_step.

    python bench/train_step_cellpose.py [--device cuda] [--steps 20] [--tf32]

8 crops of 224 x 224, the standard network, SGD, float32; best and median in ms after three steps
that are not counted. --tf32 lets PyTorch round what its convolutions multiply to TF32 (its default;
without it the arithmetic is that of lipopose's fp32)."""

import argparse
import statistics
import time

import numpy as np
import torch
from cellpose import train
from cellpose.resnet_torch import CPnet

p = argparse.ArgumentParser()
p.add_argument("--device", default="cuda")
p.add_argument("--steps", type=int, default=20)
p.add_argument("--tf32", action="store_true")
o = p.parse_args()

torch.backends.cudnn.allow_tf32 = o.tf32
torch.backends.cuda.matmul.allow_tf32 = o.tf32
device = torch.device(o.device)
net = CPnet([2, 32, 64, 128, 256], 3, 3, mkldnn=False).to(device)
net.train()
optimizer = torch.optim.SGD(net.parameters(), lr=0.001, weight_decay=1e-5, momentum=0.9)
rng = np.random.default_rng(7)
x = rng.random((8, 2, 224, 224), dtype=np.float32)
labels = np.full((8, 3, 224, 224), 0.5, np.float32)
labels[:, 0] = np.arange(224) // 28 % 2
times = []
for step in range(o.steps + 3):
    began = time.perf_counter()
    # As train_seg does: crops go up, the loss comes down.
    y = net(torch.from_numpy(x).to(device))[0]
    loss = train._loss_fn_seg(labels, y, device)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    loss.item()
    if device.type == "cuda":
        torch.cuda.synchronize()
    if step >= 3:
        times.append(1e3 * (time.perf_counter() - began))
print(f"Cellpose, {o.device}, {'TF32' if o.tf32 else 'fp32'}: {o.steps} steps of 8 x 224 x 224, best "
      f"{min(times):.2f} ms, median {statistics.median(times):.2f} ms, {8e3 / statistics.median(times):.1f} images/s")
