# SPDX-License-Identifier: Apache-2.0
"""ONNX files of small nets, byte by byte: the tests of programs need no Python package."""


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def field(number, value):
    """A protobuf field: an integer, text or a message."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def graph_input(name, dims, element_type=1):
    dims = b"".join(field(1, field(1, d) if isinstance(d, int) else field(2, d)) for d in dims)
    return field(11, field(1, name) + field(2, field(1, field(1, element_type) + field(2, dims))))


def onnx_model(nodes=b"", initializers=b"", batch=1, height=32, inputs=None):
    graph = nodes + field(2, "net") + initializers
    graph += inputs or graph_input("x", (batch, 3, height, 32))
    graph += field(12, field(1, "y"))
    return field(1, 8) + field(7, graph) + field(8, field(2, 13))


def node(op, inputs, output, name):
    return field(1, b"".join(field(1, i) for i in inputs) + field(2, output) + field(3, name) +
                 field(4, op))
