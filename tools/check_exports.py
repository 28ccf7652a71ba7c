# SPDX-License-Identifier: Apache-2.0
"""What other tools make, through Hedge: exports of PyTorch, Keras and tf2onnx and the outputs of ONNX Runtime's
quantiser against ONNX Runtime's answers, and pictures against torchvision's tensors. One line a model; exit status 1
where one fails. Not among the tests: the packages are gigabytes. docs/dependencies.md says how to run it.

    python3 tools/check_exports.py [--build=build] [--backend=cpu] [--keep=DIR] [--only=REGEX] [PART ...]

Parts: torchscript, dynamo, quantiser, pictures (torch, torchvision, onnxscript, onnx, onnxruntime, pillow) and keras
(tensorflow, tf2onnx, onnxruntime). All weights are random, drawn from a seed.
"""
import argparse
import contextlib
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import warnings

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 1e-4
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")


# ---- comparing

def images(shape, count=2, seed=1):
    """Coarse patches with noise over them: noise alone is averaged away by the nets' poolings."""
    draw = np.random.default_rng(seed)
    planar = shape[1] == 3
    height, width = shape[2:] if planar else shape[1:3]
    coarse = draw.standard_normal((count, 3, 8, 8))
    grown = coarse[:, :, np.arange(height)[:, None] * 8 // height, np.arange(width) * 8 // width]
    noisy = (grown + 0.3 * draw.standard_normal(grown.shape)).astype(np.float32)
    return noisy if planar else np.ascontiguousarray(noisy.transpose(0, 2, 3, 1))


def session_of(path, optimised=True):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    if not optimised:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def runtime_scores(session, inputs):
    name = session.get_inputs()[0].name
    return np.concatenate([session.run(None, {name: x[None]})[0].reshape(1, -1) for x in inputs])


def hedge_scores(path, inputs, options):
    given, got = os.path.join(options.folder, "images"), os.path.join(options.folder, "scores")
    inputs.tofile(given)
    done = subprocess.run([os.path.join(options.build, "run-net"), path, options.backend, given, got], text=True,
                          capture_output=True, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr.strip()[:600] or f"ended with {done.returncode}")
    return np.fromfile(got, np.float32).reshape(len(inputs), -1)


def compare(path, options):
    """Its outcome in words; raises AssertionError where the scores differ."""
    session = session_of(path)
    if len(session.get_inputs()) != 1:  # Keras's own export leaves constants of EfficientNet out.
        return f"no export: it wants {', '.join(x.name for x in session.get_inputs())}"
    inputs = images(session.get_inputs()[0].shape)
    want = runtime_scores(session, inputs)
    have = hedge_scores(path, inputs, options)
    assert have.shape == want.shape, f"{have.shape} scores, {want.shape} expected"
    largest = np.abs(want).max(axis=1)
    apart = np.abs(want[0] - want[1]).max() / largest.max()
    assert np.isfinite(want).all() and apart > 1e-3, f"no fair net: both images have the same scores ({apart:.1g})"
    deviation = (np.abs(have - want).max(axis=1) / largest).max()
    assert deviation < TOLERANCE, f"deviates by {deviation:.2g} of the largest score"
    order = np.sort(want, axis=1)
    clear = (order[:, -1] - order[:, -2]) / largest > 10 * TOLERANCE
    assert (have.argmax(1) == want.argmax(1))[clear].all(), "another class"
    return f"deviates by {deviation:.1e}, the images by {apart:.2f}"


@contextlib.contextmanager
def silence():
    """Exporters are talkative, from C++ too."""
    sys.stdout.flush()
    kept = [os.dup(1), os.dup(2)]
    nothing = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nothing, 1)
        os.dup2(nothing, 2)
        yield
    finally:
        sys.stdout.flush()
        for stream, copy in zip((1, 2), kept):
            os.dup2(copy, stream)
            os.close(copy)
        os.close(nothing)


# ---- PyTorch

TORCH_NETS = ("resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_large", "shufflenet_v2_x1_0", "efficientnet_b0",
              "efficientnet_v2_s", "regnet_y_400mf", "densenet121", "googlenet", "inception_v3", "squeezenet1_1",
              "mnasnet1_0", "convnext_tiny", "vit_small", "swin_t", "alexnet", "vgg11")


def torch_net(name):
    """Random weights, and statistics of its own data in each batch-norm: those of a new net are 0 and 1, which hide
    what folding does wrong."""
    import torch
    import torchvision
    torch.manual_seed(1)
    size = 299 if name == "inception_v3" else 224
    if name == "vit_small":
        net = torchvision.models.VisionTransformer(size, 16, 4, 4, 192, 768, num_classes=1000)
    else:
        extra = {"aux_logits": False, "init_weights": True} if name in ("googlenet", "inception_v3") else {}
        net = getattr(torchvision.models, name)(weights=None, **extra)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter += 0.02 * torch.randn_like(parameter)  # Some begin as zeros: ViT's head.
        for module in net.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight *= 0.5 + torch.rand_like(module.weight)
                module.bias += 0.2 * torch.randn_like(module.bias)
                module.momentum = None  # Running averages that begin with the data.
        net.train()
        net(torch.from_numpy(images((1, 3, size, size), 4, 2)))
    return net.eval(), torch.from_numpy(images((1, 3, size, size), 2, 3))


def export_torch(net, sample, path, way):
    import torch
    ways = {
        "opset 13": {"dynamo": False, "opset_version": 13},
        "opset 17": {"dynamo": False, "opset_version": 17},
        # As the net was written: batch-norms not folded, shapes computed.
        "opset 17, unfolded, open batch": {
            "dynamo": False, "opset_version": 17, "do_constant_folding": False, "input_names": ["x"],
            "training": torch.onnx.TrainingMode.PRESERVE, "dynamic_axes": {"x": {0: "batch"}}},
        "dynamo, opset 18": {"dynamo": True, "opset_version": 18},
        "dynamo, opset 21, open batch": {"dynamo": True, "opset_version": 21,
                                         "dynamic_shapes": ({0: torch.export.Dim.DYNAMIC},)},
        "dynamo, opset 20, unoptimised": {"dynamo": True, "opset_version": 20, "optimize": False},
    }
    batch = sample if "open batch" in way else sample[:1]
    with silence():
        torch.onnx.export(net, (batch,), path, **ways[way])


TORCHSCRIPT = ("opset 13", "opset 17", "opset 17, unfolded, open batch")
DYNAMO = ("dynamo, opset 18", "dynamo, opset 21, open batch", "dynamo, opset 20, unoptimised")


def torch_cases(ways):
    for name in TORCH_NETS:
        for way in ways:
            def check(path, options, name=name, way=way):
                net, sample = torch_net(name)
                try:
                    export_torch(net, sample, path, way)
                except Exception as error:  # Of the exporter: it has no type of its own for all.
                    return f"no export: {str(error).strip().splitlines()[0][:120]}"
                return compare(path, options)
            yield f"{name}, {way}", check


# ---- Keras, by tf2onnx

KERAS_NETS = ("MobileNet", "MobileNetV2", "MobileNetV3Small", "ResNet50", "ResNet50V2", "EfficientNetB0",
              "DenseNet121", "InceptionV3", "Xception", "NASNetMobile", "ConvNeXtTiny", "VGG16")


def keras_net(name):
    import keras
    keras.utils.set_random_seed(1)
    make = getattr(keras.applications, name)
    net = make(weights=None, classifier_activation=None)
    if net.input_shape[1] is None:
        net = make(weights=None, classifier_activation=None, input_shape=(224, 224, 3))
    draw = np.random.default_rng(1)
    for variable in net.variables:
        if variable.name in ("beta", "bias"):
            variable.assign(0.1 * draw.standard_normal(variable.shape))
        elif variable.name == "gamma":
            variable.assign(variable + 0.4 * draw.random(variable.shape) - 0.2)
    for layer in net.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0  # As above: the statistics of the net's own data.
    net(images((1, *net.input_shape[1:]), 4, 2), training=True)
    return net


def export_keras(net, path, way):
    import tensorflow as tf
    import tf2onnx
    size = net.input_shape[1]
    if way == "Keras's own export":
        net.export(path, format="onnx", verbose=False)
        return
    opset = int(way.split()[-1].rstrip("w")) if "opset" in way else 17
    signature = (tf.TensorSpec((None if "open" in way else 1, size, size, 3), tf.float32, name="image"),)
    function = tf.function(lambda image: net(image, training=False), input_signature=signature)
    inputs_as_nchw = ["image:0"] if "nchw" in way else None
    tf2onnx.convert.from_function(function, input_signature=signature, opset=opset, output_path=path,
                                  inputs_as_nchw=inputs_as_nchw)


KERAS = ("Keras's own export", "open batch, tf2onnx, opset 13", "nchw, tf2onnx, opset 18")


def keras_cases():
    for name in KERAS_NETS:
        for way in KERAS:
            def check(path, options, name=name, way=way):
                try:
                    with silence():
                        export_keras(keras_net(name), path, way)
                except Exception as error:
                    return f"no export: {type(error).__name__}: {str(error).strip().splitlines()[0][:120]}"
                return compare(path, options)
            yield f"{name}, {way}", check


# ---- ONNX Runtime's quantiser

def quantise(source, path, way, inputs):
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process

    class Samples(q.CalibrationDataReader):
        def __init__(self):
            self.left = iter(inputs)
            self.name = session_of(source).get_inputs()[0].name

        def get_next(self):
            sample = next(self.left, None)
            return None if sample is None else {self.name: sample[None]}

    quant_pre_process(source, source + ".prepared", skip_symbolic_shape=True)
    activations, weights = (q.QuantType.QInt8 if kind == "s8" else q.QuantType.QUInt8
                            for kind in way.split()[1].split("/"))
    q.quantize_static(source + ".prepared", path, Samples(), quant_format=q.QuantFormat.QDQ,
                      per_channel="channel" in way, activation_type=activations, weight_type=weights)


class QuantisedGraph:
    """The file cut at its activations: a layer is what lies between two pairs of QuantizeLinear, DequantizeLinear."""

    def __init__(self, path):
        self.model = onnx.shape_inference.infer_shapes(onnx.load(path))
        graph = self.model.graph
        self.constants = {tensor.name: tensor for tensor in graph.initializer}
        self.producer = {name: node for node in graph.node for name in node.output}
        quantized = {node.output[0]: node for node in graph.node if node.op_type == "QuantizeLinear"}
        # Of each activation: its value as floats, and what quantises it.
        self.activations = {node.output[0]: quantized[node.input[0]] for node in graph.node
                            if node.op_type == "DequantizeLinear" and node.input[0] in quantized}

    def step(self, activation):
        return float(onnx.numpy_helper.to_array(self.constants[self.activations[activation].input[1]]))

    def sources(self, name):
        """The activations that a value is made of."""
        if name in self.activations or name not in self.producer:
            return set() if name in self.constants else {name}
        return set().union(*(self.sources(read) for read in self.producer[name].input if read))

    def layers(self):
        """(input, output) of those of one input; run-net feeds no more."""
        graph_input = self.model.graph.input[0].name
        for output, quantize in self.activations.items():
            sources = self.sources(quantize.input[0])
            if len(sources) == 1 and sources != {graph_input}:
                yield sources.pop(), output


def compare_layers(path, image, options):
    """Each layer alone, by the reference executor, on ONNX Runtime's own activations: (steps, share of unequal).
    A value on the edge of two steps may fall either way, so one step is the most that may be."""
    cut = QuantisedGraph(path)
    whole = onnx.ModelProto()
    whole.CopyFrom(cut.model)
    whole.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in cut.activations
                              if name not in {output.name for output in whole.graph.output})
    everything, part = (os.path.join(options.folder, name) for name in ("everything.onnx", "layer_imagenet.onnx"))
    onnx.save(whole, everything)
    session = session_of(everything, optimised=False)
    names = [output.name for output in session.get_outputs()]
    values = dict(zip(names, session.run(None, {session.get_inputs()[0].name: image[None]})))
    extractor = onnx.utils.Extractor(cut.model)
    worst = unequal = total = 0
    reference = argparse.Namespace(**{**vars(options), "backend": "reference"})
    for source, output in cut.layers():
        onnx.save(extractor.extract_model([source], [output]), part)
        have = hedge_scores(part, values[source], reference)
        steps = np.abs(have.reshape(-1) - values[output].reshape(-1)) / cut.step(output)
        worst, unequal, total = max(worst, steps.max()), unequal + (steps > 0.5).sum(), total + steps.size
    return worst, unequal / total


def compare_quantised(path, options):
    """Against ONNX Runtime without its fusions, which computes what the file says. What follows from a value that
    fell the other way grows from layer to layer, so the scores may differ by a few steps, or by as many as ONNX
    Runtime with its fusions differs from itself without."""
    session, fused = session_of(path, optimised=False), session_of(path)
    inputs = images(session.get_inputs()[0].shape, 8, 5)
    want, own = runtime_scores(session, inputs), runtime_scores(fused, inputs)
    have = hedge_scores(path, inputs, options)
    cut = QuantisedGraph(path)
    step = cut.step(cut.model.graph.output[0].name)
    steps, own_steps = np.abs(have - want).max() / step, np.abs(own - want).max() / step
    same = int((have.argmax(1) == want.argmax(1)).sum())
    layer_steps, unequal = compare_layers(path, inputs[0], options)
    words = (f"a layer alone {layer_steps:.1f} steps, {100 * unequal:.4f}% unequal; scores {steps:.1f} steps of "
             f"{step:.3g} (ONNX Runtime's fusions {own_steps:.1f}), same class {same}/8")
    assert layer_steps < 1.01 and unequal < 1e-3 and steps <= max(4, own_steps), words
    return words


def quantiser_cases():
    shared = os.environ.get("HEDGE_SHARED") or os.path.join(SOURCE, "..", "shared")
    resnet8 = os.path.join(shared, "models", "resnet8_cifar.onnx")
    for net in ("resnet18", "mobilenet_v2", "resnet8_cifar"):
        for way in ("tensor s8/s8", "tensor u8/u8", "channel s8/s8", "channel u8/s8"):
            def check(path, options, net=net, way=way):
                source = path + ".float"
                if net == "resnet8_cifar":
                    if not os.path.exists(resnet8):
                        return f"skipped: no {resnet8} (HEDGE_SHARED)"
                    with open(resnet8, "rb") as file, open(source, "wb") as copy:
                        copy.write(file.read())
                else:
                    export_torch(*torch_net(net), source, "opset 17")
                shape = session_of(source).get_inputs()[0].shape
                quantise(source, path, way, images(shape, 8, 4))
                return compare_quantised(path, options)
            yield f"{net}, {way}", check


# ---- torchvision's preprocessing

def write_pictures(folder):
    from PIL import Image
    draw = np.random.default_rng(1)

    def noise(height, width, channels=3):
        return draw.integers(0, 256, (height, width, channels), np.uint8)

    def gradient(height, width):
        y, x = np.mgrid[0:height, 0:width]
        return np.stack([255 * y / max(height - 1, 1), 255 * x / max(width - 1, 1), (x * 7 + y * 3) % 256],
                        2).astype(np.uint8)

    def photo(height, width):
        coarse = Image.fromarray(noise(max(height // 16, 1), max(width // 16, 1))).resize((width, height), 3)
        return np.clip(np.asarray(coarse) + draw.normal(0, 6, (height, width, 3)), 0, 255).astype(np.uint8)

    pictures = {
        "noise": noise(375, 500), "noise_odd": noise(333, 517), "portrait": photo(701, 433),
        "landscape": photo(480, 641), "square": photo(256, 256), "just_below": photo(255, 257),
        "gradient": gradient(300, 400), "gradient_tall": gradient(1001, 299), "tiny": noise(7, 5),
        "pixel": noise(1, 1), "small": photo(97, 131), "wide": gradient(30, 3000), "tall": photo(3011, 40),
        "large": photo(2448, 3264), "crop_size": noise(224, 224), "thin": noise(2, 301), "line": noise(1, 64),
    }
    for name, pixels in pictures.items():
        Image.fromarray(pixels).save(os.path.join(folder, name + ".jpg"), quality=90)
    Image.fromarray(photo(411, 600)).convert("L").save(os.path.join(folder, "grey.jpg"), quality=80)
    Image.fromarray(photo(600, 411)).save(os.path.join(folder, "full_chroma.jpg"), quality=95, subsampling=0)
    Image.fromarray(photo(400, 600)).save(os.path.join(folder, "progressive.jpg"), quality=50, progressive=True)
    return sorted(os.listdir(folder))


def flatten_model(path):
    """A net whose scores are its input, so that `inference --scores` writes the tensors."""
    from onnx import TensorProto, helper
    count = 3 * 224 * 224
    graph = helper.make_graph(
        [helper.make_node("Flatten", ["x"], ["y"], axis=1)], "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 224, 224])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, count])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)


def check_pictures(path, options):
    from PIL import Image
    from torchvision import transforms
    std = np.array([0.229, 0.224, 0.225])
    transform = transforms.Compose([
        transforms.Resize(256), transforms.CenterCrop(224), transforms.ToTensor(),
        transforms.Normalize([0.485, 0.456, 0.406], list(std))])
    folder = os.path.join(options.folder, "pictures")
    os.makedirs(folder)
    names = write_pictures(folder)
    flatten_model(path)
    labels, scores = os.path.join(options.folder, "labels.txt"), os.path.join(options.folder, "scores.npy")
    with open(labels, "w", encoding="ascii") as file:
        file.writelines(f"{name} 0\n" for name in names)
    done = subprocess.run(
        [os.path.join(options.build, "inference"), f"--model={path}", f"--dataset=folder:{folder}",
         f"--labels={labels}", f"--scores={scores}", f"--iterations={len(names)}"],
        text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.strip()[:600]
    have = np.load(scores).reshape(len(names), 3, 224, 224)
    worst = 0
    for name, tensor in zip(names, have):
        with Image.open(os.path.join(folder, name)) as picture:
            size, want = picture.size, transform(picture.convert("RGB")).numpy()
        # In units of 1/255 before normalisation.
        off = np.abs(tensor.astype(np.float64) - want) * std[:, None, None] * 255
        worst = max(worst, off.max())
        print(f"    {name:<18} {size[0]:>4}x{size[1]:<4} differs by {off.max():.6f}/255 at most, "
              f"{100 * (off > 0.01).mean():.3f}% by more than 0.01/255", flush=True)
    assert worst <= 2, f"differs by {worst:.2f}/255"
    return f"{len(names)} pictures, differ by {worst:.6f}/255 at most"


PARTS = {
    "torchscript": lambda: torch_cases(TORCHSCRIPT),
    "dynamo": lambda: torch_cases(DYNAMO),
    "quantiser": quantiser_cases,
    "pictures": lambda: [("torchvision's tensors", check_pictures)],
    "keras": keras_cases,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--build", default=os.path.join(SOURCE, "build"), help="folder that has run-net and inference")
    parser.add_argument("--backend", default="cpu", help="or reference")
    parser.add_argument("--only", default="", help="expression that a line's name holds")
    parser.add_argument("--keep", help="folder for the models of lines that failed")
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"no part {', '.join(unknown)}: the parts are {', '.join(PARTS)}")
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    failed = 0
    for part in options.parts or list(PARTS):
        for name, check in PARTS[part]():
            if not re.search(options.only, name):
                continue
            begin = time.monotonic()
            with tempfile.TemporaryDirectory() as options.folder:
                path = os.path.join(options.folder, "net_imagenet.onnx")
                try:
                    outcome = check(path, options)
                except AssertionError as error:
                    failed += 1
                    outcome = f"FAILED: {error}"
                    if options.keep:
                        shutil.copytree(options.folder, os.path.join(options.keep, re.sub(r"\W+", "_", name)),
                                        dirs_exist_ok=True)
            print(f"{part}: {name}: {outcome}, {time.monotonic() - begin:.0f} s", flush=True)
    if failed:
        sys.exit(f"{failed} failed")


if __name__ == "__main__":
    main()
