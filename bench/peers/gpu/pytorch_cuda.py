#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Single-image latency on an NVIDIA GPU: Hedge's cuda backend beside PyTorch, both as CUDA graphs.

The net is PyTorch's from the same ONNX file (same layers, same weights, BatchNormalization folded), in fp16 and
channels_last, inference mode, cudnn.benchmark over all algorithms: eager, torch.compile with
max-autotune-no-cudagraphs, and the same with inductor's freezing, which folds weights into the program. Each is captured by hand with the copy of its input from page-locked memory and of its scores
back, and once more with image and scores left on the GPU, which is the fastest that PyTorch can be. PyTorch's image is
fp16 and NHWC in the host's memory already; Hedge reads the floats of the caller and pays for the conversion.

All graphs are replayed by one C++ loop (libhedge-bench-replay.so) that times Hedge's infer() with the same clock, by
turns, and waits by spinning for all of them: no Python in the timed path. Scores are compared: another net, or a wrong
one, ends the run.

  cmake --preset cuda && cmake --build build-cuda --target hedge-bench-replay hedge-build_engine hedge-onnx
  python3 bench/peers/gpu/pytorch_cuda.py --build build-cuda --onnx resnet8_cifar.onnx

Needs: PyTorch 2.9 or later with CUDA, onnx, numpy; a build of Hedge (preset cuda) beside them.
"""
import argparse
import ctypes
import json
import os
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
import torch._dynamo
import torch._inductor

from onnx_module import OnnxModule

ROOM = 1 << 20  # Of the answer of hedge_replay.


class Captured:
    """A net as a CUDA graph. `copies`: the image comes from the host and the scores go there."""

    def __init__(self, name, net, image, copies):
        self.name, self.net = name, net  # The net's memory is the graph's.
        self.stream = torch.cuda.Stream()
        self.host_image = torch.from_numpy(image).half().pin_memory()
        self.image = self.host_image.cuda()
        with torch.inference_mode(), torch.cuda.stream(self.stream):
            for _ in range(3):  # Compiles, chooses algorithms, allocates.
                scores = net(self.image)
            self.host_scores = torch.empty(scores.shape, dtype=scores.dtype, pin_memory=True)
            self.stream.synchronize()
            self.graph = torch.cuda.CUDAGraph(keep_graph=True)
            with torch.cuda.graph(self.graph, stream=self.stream):
                if copies:
                    self.image.copy_(self.host_image, non_blocking=True)
                self.scores = net(self.image)
                if copies:
                    self.host_scores.copy_(self.scores, non_blocking=True)
        self.graph.instantiate()
        self.graph.replay()
        torch.cuda.synchronize()
        self.result = (self.host_scores if copies else self.scores.cpu()).float().numpy().ravel()

    def handles(self):
        return {"name": self.name, "graph": int(self.graph.raw_cuda_graph_exec()),
                "stream": int(self.stream.cuda_stream)}


def compiled(net, **more):
    options = torch._inductor.list_mode_options("max-autotune-no-cudagraphs")
    return torch.compile(net, fullgraph=True, options={**options, **more})


FORMS = {"eager": ("PyTorch eager", lambda net: net),
         "compile": ("torch.compile", compiled),
         "freezing": ("torch.compile, freezing", lambda net: compiled(net, freezing=True))}


def peers_of(path, image, wanted):
    peers = []
    for key in wanted:
        name, form = FORMS[key]
        begin = time.time()
        net = form(OnnxModule(path).eval().half().cuda().to(memory_format=torch.channels_last))
        try:
            both = [Captured(name, net, image, True), Captured(name + ", all on the GPU", net, image, False)]
        except Exception as error:  # Of PyTorch's compiler; the others can be compared all the same.
            print(f"  {name}: not captured: {str(error).splitlines()[0]}", flush=True)
            continue
        peers += both
        print(f"  {name}: captured after {time.time() - begin:.0f} s", flush=True)
    return peers


def image_of(shape):
    """As the model's input states it, but in memory with the channels last."""
    image = np.random.default_rng(0).random(shape, dtype=np.float32)
    if shape[-1] in (1, 3):  # NHWC already.
        return image, image
    return image, np.ascontiguousarray(image.transpose(0, 2, 3, 1)).transpose(0, 3, 1, 2)


def replay(library, request):
    answer = ctypes.create_string_buffer(ROOM)
    if library.hedge_replay(json.dumps(request).encode(), answer, ROOM) != 0:
        raise SystemExit(f"replay: {answer.value.decode()}")
    return json.loads(answer.value)


def check_scores(ours, peers):
    for peer in peers:
        error = float(np.abs(peer.result - ours).max() / np.abs(ours).max())
        if not error < 0.05:
            raise SystemExit(f"{peer.name} gives other scores than Hedge: they differ by {error:.3g} of the largest one")


def print_table(model, answer):
    print(f"\n{model} (fp16, batch 1, {answer['gpu']}; ratio: over Hedge's time, 98 % interval)")
    print(f"  {'':32} {'wall p50':>9} {'p90':>8} {'GPU p50':>9} {'p90':>8}   {'wall ratio':24} GPU ratio")
    for c in answer["contenders"]:
        def ratio(key):
            low, high = c[key].get("interval98", (float("nan"),) * 2)
            return f"{c[key]['ratio']:.3f} ({low:.3f} to {high:.3f})"
        print(f"  {c['name']:32} {c['wall_us']['p50']:9.2f} {c['wall_us']['p90']:8.2f} {c['gpu_us']['p50']:9.2f} "
              f"{c['gpu_us']['p90']:8.2f}   {ratio('wall_ratio'):24} {ratio('gpu_ratio')}")
    sys.stdout.flush()


def compare(path, args, library, folder):
    shape = [d or 1 for d in OnnxModule(path).input_shape]
    floats, image = image_of(shape)
    name = os.path.splitext(os.path.basename(path))[0]
    engine = os.path.join(folder, f"{name}_fp16.engine")
    flags = [f"--onnx={path}", f"--engine={engine}", "--precision=fp16", "--backend=cuda",
             f"--timing_cache={args.timing_cache or os.path.join(folder, 'timing.cache')}"]
    if "cifar" not in name and "imagenet" not in name:
        flags.append("--dataset=imagenet")
    subprocess.run([os.path.join(args.build, "build_engine")] + flags, check=True, stdout=subprocess.DEVNULL)
    print(f"{name}:", flush=True)
    peers = peers_of(path, image, args.peers.split(","))
    answer = replay(library, {"engine": engine, "input": floats.ctypes.data, "iterations": args.iterations,
                              "rounds": args.rounds, "peers": [p.handles() for p in peers]})
    check_scores(np.array(answer["scores"], dtype=np.float32), peers)
    print_table(name, answer)
    return answer


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--build", default="build-cuda")
    parser.add_argument("--onnx", action="append", required=True, help="ONNX file; repeatable")
    parser.add_argument("--peers", default="eager,compile,freezing", help="which of these (default: all)")
    parser.add_argument("--iterations", type=int, default=200, help="of each contender in a round")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--timing_cache", help="of build_engine")
    parser.add_argument("--json", help="file for the figures")
    args = parser.parse_args()
    torch._dynamo.config.recompile_limit = 8 * len(args.onnx)  # All nets share OnnxModule.forward.
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.benchmark_limit = 0  # All algorithms.
    library = ctypes.CDLL(os.path.join(os.path.abspath(args.build), "lib", "libhedge-bench-replay.so"))
    results = {"pytorch": torch.__version__, "cudnn": torch.backends.cudnn.version(), "models": {}}
    with tempfile.TemporaryDirectory() as folder:
        for path in args.onnx:
            answer = compare(path, args, library, folder)
            answer.pop("scores")
            results["models"][os.path.basename(path)] = answer
            if args.json:
                with open(args.json, "w") as file:
                    json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
