"""Makes small models with inputs and outputs of all kinds, and of old and unusual forms.

    pip install onnx
    python kinds.py
"""

from pathlib import Path

import onnx
from onnx import TensorProto, helper, parser

HERE = Path(__file__).parent
NARROW = ["BFLOAT16", "FLOAT8E4M3FN", "FLOAT8E4M3FNUZ", "FLOAT8E5M2", "FLOAT8E5M2FNUZ", "INT4", "UINT4"]

TEXTS = {
    # A sequence of tensors, each with its own shape, and one more.
    "list": """<ir_version: 8, opset_import: ["" : 17]>
        g (seq(float) x, float[N] more) => (seq(float) y, int64 len) { y = SequenceInsert(x, more) len = SequenceLength(y) }""",
    "list_text": """<ir_version: 8, opset_import: ["" : 17]>
        g (seq(string) x) => (seq(string) y) { y = Identity(x) }""",
    # The number of the last dimension; of nothing, -1.
    "optional": """<ir_version: 8, opset_import: ["" : 18]>
        g (optional(float[2]) x) => (bool given, optional(float[2]) y) { given = OptionalHasElement(x) y = Identity(x) }""",
    "optional_list": """<ir_version: 8, opset_import: ["" : 18]>
        g (optional(seq(int32)) x, float[2] z) => (optional(seq(int32)) y, float[2] w) { y = Identity(x) w = Neg(z) }""",
    # Broadcast along an axis, and slopes for channels, as before opset 7.
    "opset_6": """<ir_version: 3, opset_import: ["" : 6]>
        g (float[2,3,2] x, float[3] s) => (float[2,3,2] y) { a = Add<broadcast = 1, axis = 1>(x, s) y = PRelu(a, s) }""",
    "refused_opset_6": """<ir_version: 3, opset_import: ["" : 6]>
        g (float[2,3] x, float[2] s) => (float[2,3] y) { a = Tile(x, s) y = Add<broadcast = 1, axis = 0>(a, s) }""",
    # Bounds of one element, as in the functions of ONNX.
    "range_of_vectors": """<ir_version: 8, opset_import: ["" : 17]>
        g (int64[1] x) => (int64[n] y) <int64[1] zero = {0}, int64[1] one = {1}> { y = Range(zero, x, one) }""",
    "batch_first": """<ir_version: 8, opset_import: ["" : 17]>
        g (float[B,T,1] x) => (float[B,T,1,1] y, float[B,1,1] last) <float[1,1,1] w = {1}, float[1,1,1] r = {0.5}>
        { y, last = RNN<hidden_size = 1, layout = 1, activations = ["Affine"], activation_alpha = [1.0], activation_beta = [0.0]>(x, w, r) }""",
    "locale": """<ir_version: 8, opset_import: ["" : 17]>
        g (string[N] x) => (string[M] y) { y = StringNormalizer<case_change_action = "UPPER">(x) }""",
}


def narrow():
    ports = lambda suffix: [helper.make_tensor_value_info(f"{t.lower()}{suffix}", getattr(TensorProto, t), [2]) for t in NARROW]
    nodes = [helper.make_node("Identity", [f"{t.lower()}"], [f"{t.lower()}_out"]) for t in NARROW]
    graph = helper.make_graph(nodes, "graph", ports(""), ports("_out"))
    return helper.make_model(graph, ir_version=10, opset_imports=[helper.make_opsetid("", 21)])


for name, text in TEXTS.items():
    onnx.save(parser.parse_model(text), HERE / f"{name}.onnx")
onnx.save(narrow(), HERE / "narrow.onnx")
