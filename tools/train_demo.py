#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Trains the demo models on the shapes dataset and writes them as ONNX.

    hedge make-data shapes data --train
    python3 tools/train_demo.py train --data data --model resnet8 --out resnet8.npz
    python3 tools/train_demo.py export resnet8.npz models/resnet8_shapes.onnx

`train` needs PyTorch and, to be quick, a GPU; `export` needs numpy and onnx. A model is a stem, three
stages of residual blocks (the second and third halve the image and double the channels), a global
average pool and a dense layer. Inputs are [N, 3, 32, 32], (x/255 - 0.5)/0.5.

EE_ models have an early exit besides, a head of their own behind one of the stages: convolutions that
halve the image and double the channels as the net would, a global average pool and a dense layer. Net and
head are trained together, on the sum of their losses (Teerapittayanon et al., "BranchyNet", ICPR 2016).
Their ONNX files have two outputs, the net's "scores" and the head's "exit".
"""
import argparse
import time

import numpy as np

# name: (channels of the first stage, blocks of a stage, ends in softmax, stage before the early exit)
MODELS = {
    "resnet8": (16, 1, True, None),  # MLPerf Tiny's topology, with batch-norm on the shortcuts too
    "resnet20w": (24, 3, False, None),
    "EE_resnet20w": (24, 3, False, 0),
}
EXIT_LOSS = 0.5  # Weight of the exit's loss beside the net's.
BN_EPSILON = 1e-5


def stages(width, blocks):
    """(name, channels in, channels out, stride) of each residual block."""
    channels = width
    for stage in range(3):
        for block in range(blocks):
            out = width << stage
            yield f"stage{stage}.block{block}", channels, out, 2 if stage > 0 and block == 0 else 1
            channels = out


def last_block(stage, blocks):
    return f"stage{stage}.block{blocks - 1}"


def head_widths(width, stage):
    """Channels of the convolutions of an exit's head, from what it gets to what it pools."""
    return [width << s for s in range(stage, 3)]


# ---- training


def build_torch(name):
    import torch
    from torch import nn

    width, blocks, _, exit_stage = MODELS[name]

    class Block(nn.Module):
        def __init__(self, channels, out, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(out, BN_EPSILON)
            self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(out, BN_EPSILON)
            self.projects = stride != 1 or channels != out
            if self.projects:
                self.conv3 = nn.Conv2d(channels, out, 1, stride, bias=False)
                self.bn3 = nn.BatchNorm2d(out, BN_EPSILON)

        def forward(self, x):
            y = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
            return torch.relu(y + (self.bn3(self.conv3(x)) if self.projects else x))

    class Head(nn.Module):
        def __init__(self, widths):
            super().__init__()
            pairs = list(zip(widths, widths[1:]))
            self.convs = nn.ModuleList(nn.Conv2d(i, o, 3, 2, 1, bias=False) for i, o in pairs)
            self.bns = nn.ModuleList(nn.BatchNorm2d(o, BN_EPSILON) for _, o in pairs)
            self.dense = nn.Linear(widths[-1], 10)

        def forward(self, x):
            for conv, bn in zip(self.convs, self.bns):
                x = torch.relu(bn(conv(x)))
            return self.dense(x.mean((2, 3)))

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, width, 3, 1, 1, bias=False)
            self.bn = nn.BatchNorm2d(width, BN_EPSILON)
            self.blocks = nn.ModuleDict(
                {n.replace(".", "_"): Block(i, o, s) for n, i, o, s in stages(width, blocks)})
            self.dense = nn.Linear(width * 4, 10)
            if exit_stage is not None:
                self.exit = Head(head_widths(width, exit_stage))

        def forward(self, x):
            """Scores of the net, then of the exit if there is one."""
            early = []
            x = torch.relu(self.bn(self.conv(x)))
            for block_name, block in self.blocks.items():
                x = block(x)
                if exit_stage is not None and block_name == last_block(exit_stage, blocks).replace(".", "_"):
                    early = [self.exit(x)]
            return [self.dense(x.mean((2, 3))), *early]

    return Net()


def load_records(path, device):
    import torch
    records = np.fromfile(path, np.uint8).reshape(-1, 3073)
    labels = torch.from_numpy(records[:, 0].astype(np.int64)).to(device)
    return torch.from_numpy(records[:, 1:].reshape(-1, 3, 32, 32).copy()).to(device), labels


def prepare(images):
    return (images.float() / 255 - 0.5) / 0.5


def augment(images):
    """All classes stay what they are under quarter turns, mirroring and shifts."""
    import torch
    images = torch.rot90(images, int(torch.randint(4, ())), (2, 3))
    if torch.rand(()) < 0.5:
        images = images.flip(3)
    dx, dy = (int(v) for v in torch.randint(-2, 3, (2,)))
    return torch.roll(images, (dy, dx), (2, 3))


def train(arguments):
    import torch
    from torch.nn import functional as F
    torch.manual_seed(arguments.seed)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    images, labels = load_records(f"{arguments.data}/shapes_train.bin", device)
    test_images, test_labels = load_records(f"{arguments.data}/shapes_test.bin", device)
    net = build_torch(arguments.model).to(device, memory_format=torch.channels_last)
    steps = arguments.epochs * (len(labels) // arguments.batch)
    optimizer = torch.optim.SGD(net.parameters(), 0.1, 0.9, weight_decay=arguments.weight_decay,
                                nesterov=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, arguments.rate, steps, pct_start=0.2)
    begin = time.time()

    def accuracy():
        net.eval()
        with torch.no_grad():
            right = sum(torch.tensor([(scores.argmax(1) == y).sum() for scores in net(prepare(x))])
                        for x, y in zip(test_images.split(1000), test_labels.split(1000)))
        net.train()
        return " and ".join(str(int(count)) for count in right)

    for epoch in range(arguments.epochs):
        order = torch.randperm(len(labels), device=device)
        for index in order.split(arguments.batch):
            if len(index) < arguments.batch:
                continue
            with torch.autocast(device, torch.bfloat16):
                scores = net(prepare(augment(images[index])).to(memory_format=torch.channels_last))
            losses = [F.cross_entropy(s.float(), labels[index]) for s in scores]
            loss = losses[0] + EXIT_LOSS * sum(losses[1:])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
        if (epoch + 1) % 5 == 0 or epoch + 1 == arguments.epochs:
            print(f"{arguments.model} epoch {epoch + 1}: loss {loss.item():.4f}, "
                  f"{accuracy()} of {len(test_labels)} right, {time.time() - begin:.0f} s", flush=True)
    state = {k: v.float().cpu().numpy() for k, v in net.state_dict().items()
             if not k.endswith("num_batches_tracked")}
    np.savez(arguments.out, __model__=np.array(arguments.model), **state)


# ---- export


def export(arguments):
    import onnx
    from onnx import TensorProto, helper, numpy_helper
    state = dict(np.load(arguments.weights))
    name = str(state.pop("__model__"))
    width, blocks, softmax, exit_stage = MODELS[name]
    nodes, initializers = [], []

    def constant(key, value):
        initializers.append(numpy_helper.from_array(np.ascontiguousarray(value, np.float32), key))
        return key

    def node(op, inputs, output, **attributes):
        nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def conv_bn(x, conv, bn, out, stride, kernel):
        y = node("Conv", [x, constant(f"{conv}.weight", state[f"{conv}.weight"])], f"{out}.conv",
                 kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=[kernel // 2] * 4)
        keys = ("weight", "bias", "running_mean", "running_var")
        return node("BatchNormalization",
                    [y] + [constant(f"{bn}.{k}", state[f"{bn}.{k}"]) for k in keys], f"{out}.bn",
                    epsilon=BN_EPSILON)

    def dense(x, key, prefix, output):
        x = node("Flatten", [node("GlobalAveragePool", [x], f"{prefix}pool")], f"{prefix}features")
        weight = constant(f"{key}.weight", state[f"{key}.weight"])
        return node("Gemm", [x, weight, constant(f"{key}.bias", state[f"{key}.bias"])], output, transB=1)

    outputs = []
    x = node("Relu", [conv_bn("input", "conv", "bn", "stem", 1, 3)], "stem")
    for block, channels, out, stride in stages(width, blocks):
        key = "blocks." + block.replace(".", "_")
        y = node("Relu", [conv_bn(x, f"{key}.conv1", f"{key}.bn1", f"{block}.1", stride, 3)], f"{block}.1")
        y = conv_bn(y, f"{key}.conv2", f"{key}.bn2", f"{block}.2", 1, 3)
        if stride != 1 or channels != out:
            x = conv_bn(x, f"{key}.conv3", f"{key}.bn3", f"{block}.shortcut", stride, 1)
        x = node("Relu", [node("Add", [y, x], f"{block}.add")], block)
        if exit_stage is not None and block == last_block(exit_stage, blocks):
            early = x
            for i in range(len(head_widths(width, exit_stage)) - 1):
                key = f"exit.{i}"
                early = node("Relu", [conv_bn(early, f"exit.convs.{i}", f"exit.bns.{i}", key, 2, 3)], key)
            outputs.append(dense(early, "exit.dense", "exit.", "exit"))
    x = dense(x, "dense", "", "logits" if softmax or not outputs else "scores")
    if softmax:
        x = node("Softmax", [x], "scores", axis=1)
    outputs.insert(0, x)
    graph = helper.make_graph(
        nodes, f"{name}_shapes",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, 32, 32])],
        [helper.make_tensor_value_info(o, TensorProto.FLOAT, ["N", 10]) for o in outputs], initializers)
    model = helper.make_model(graph, producer_name="Hedge tools/train_demo.py",
                              opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, arguments.onnx)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    t = commands.add_parser("train", help="train a model, write its weights")
    t.add_argument("--data", default="data", help="folder of shapes_train.bin and shapes_test.bin")
    t.add_argument("--model", choices=MODELS, default="resnet8")
    t.add_argument("--out", required=True, help="weights, .npz")
    t.add_argument("--epochs", type=int, default=25)
    t.add_argument("--batch", type=int, default=512)
    t.add_argument("--rate", type=float, default=0.4)
    t.add_argument("--weight-decay", type=float, default=2e-4)
    t.add_argument("--seed", type=int, default=1)
    t.set_defaults(run=train)
    e = commands.add_parser("export", help="weights to ONNX")
    e.add_argument("weights")
    e.add_argument("onnx")
    e.set_defaults(run=export)
    arguments = parser.parse_args()
    arguments.run(arguments)


if __name__ == "__main__":
    main()
