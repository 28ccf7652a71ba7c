#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Classes that implement TensorRT's interfaces by saying that the double does not have the function.

usage: make_stubs.py PREPROCESSED OUT

PREPROCESSED is NvOnnxParser.h after the preprocessor. Every version has other functions: the double
derives from these classes and overrides what it knows.
"""
import re
import sys

ENGINE_CLASSES = ["Builder", "BuilderConfig", "NetworkDefinition", "Tensor", "Layer", "HostMemory",
                  "TimingCache", "OptimizationProfile", "Runtime", "CudaEngine", "ExecutionContext", "EngineInspector"]
PARSER_CLASSES = ["IParser", "IParserError"]


def class_body(text, name):
    begin = re.search(r"class\s+%s\b[^;{]*\{" % name, text)
    if begin is None:
        sys.exit("no class " + name)
    depth, at = 1, begin.end()
    while depth > 0:
        depth += {"{": 1, "}": -1}.get(text[at], 0)
        at += 1
    return text[begin.end():at]


def functions(body):
    """Result, name, parameters and qualifiers of each pure virtual function."""
    body = re.sub(r"\[\[.*?\]\]|__attribute__\s*\(\(.*?\)\)", "", body, flags=re.S)
    pattern = r"virtual\s+([\w\s:*&<>]+?)\s*\b(\w+)\s*\(([^()]*)\)\s*((?:const|noexcept|\s)*)=\s*0\s*;"
    for result, name, parameters, qualifiers in re.findall(pattern, body):
        yield " ".join(result.split()), name, " ".join(parameters.split()), " ".join(qualifiers.split())


def stub(text, base, name, out):
    out.append("class %s : public %s {\n public:" % (name, base))
    for result, function, parameters, qualifiers in functions(class_body(text, base)):
        out.append("  %s %s(%s) %s override { hedge_double::unexpected(\"%s::%s\"); }"
                   % (result, function, parameters, qualifiers, base, function))
    out.append("};")


def main():
    source, target = sys.argv[1:]
    with open(source, encoding="utf-8") as file:
        text = re.sub(r"^#.*$", "", file.read(), flags=re.M)
    out = ["// Made by make_stubs.py.", "#pragma once", "#pragma GCC system_header", "#include <NvInfer.h>", "#include <NvOnnxParser.h>",
           '#include "backends/cuda/emulation/control.h"', "namespace nvinfer1::apiv {"]
    for name in ENGINE_CLASSES:
        stub(text, "V" + name, name + "Stub", out)
    out.append("}  // namespace nvinfer1::apiv\nnamespace nvonnxparser {")
    for name in PARSER_CLASSES:
        stub(text, name, name[1:] + "Stub", out)
    out.append("}  // namespace nvonnxparser\n")
    with open(target, "w", encoding="utf-8") as file:
        file.write("\n".join(out))


if __name__ == "__main__":
    main()
