"""Makes small models on the edges of what tract runs, and what onnxruntime answers: `edge.json`.

    pip install onnx onnxruntime
    python edge.py

`runs` has inputs by name, as whole tensors, and the outputs; `refused` has a part of the reason.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import parser

HERE = Path(__file__).parent
HEAD = '<ir_version: 8, opset_import: ["" : 17, "ai.onnx.ml" : 3]>\n'

RUNS = {
    # Bounds of Slice beyond an open dimension.
    "slice_512": (
        """g (float[N,S] x) => (float[N,?] y) <int64[1] s = {0}, int64[1] e = {512}, int64[1] a = {1}>
        { y = Slice(x, s, e, a) }""",
        [{"x": [[1, 2, 3], [4, 5, 6]]}, {"x": [list(range(600))]}],
    ),
    "slice_negative": (
        """g (float[N,S] x) => (float[N,?] y) <int64[1] s = {-4}, int64[1] e = {-1}, int64[1] a = {1}>
        { y = Slice(x, s, e, a) }""",
        [{"x": [[1, 2, 3]]}, {"x": [[1, 2, 3, 4, 5, 6]]}, {"x": [[1]]}],
    ),
    "slice_steps": (
        """g (float[N,S] x) => (float[N,?] y) <int64[1] s = {1}, int64[1] e = {9}, int64[1] a = {-1}, int64[1] t = {2}>
        { y = Slice(x, s, e, a, t) }""",
        [{"x": [[1, 2, 3, 4]]}, {"x": [list(range(12))]}, {"x": [[7]]}],
    ),
    "slice_crossed": (
        """g (float[N,S] x) => (float[N,?] y) <int64[1] s = {3}, int64[1] e = {-2}, int64[1] a = {1}>
        { y = Slice(x, s, e, a) }""",
        [{"x": [[1, 2, 3, 4]]}, {"x": [[1, 2, 3, 4, 5, 6, 7]]}],
    ),
    "slice_window": (
        """g (float[N,S] x) => (float[N,?] y) <int64[1] two = {2}, int64[1] zero = {0}, int64[1] end = {9223372036854775807}, int64[1] back = {-2}, int64[1] a = {1}>
        { later = Slice(x, two, end, a) earlier = Slice(x, zero, back, a) y = Sub(later, earlier) }""",
        [{"x": [[1, 2, 4, 8, 16]]}],
    ),
    # Sizes as outputs.
    "size": (
        """g (float[N,S] x) => (float[N,S] y, int64 len, int64[2] shape) <int64 one = {1}>
        { shape = Shape(x) len = Gather<axis = 0>(shape, one) y = Relu(x) }""",
        [{"x": [[1, 2, 3]]}, {"x": [[1], [2]]}],
    ),
    # An index out of range is off everywhere.
    "one_hot": (
        """g (int64[N] x) => (float[N,4] y) <int64 d = {4}, float[2] v = {0, 1}> { y = OneHot(x, d, v) }""",
        [{"x": [0, 3, -1, 4, 9, -4, -5]}],
    ),
    "one_hot_axis": (
        """g (int32[N,2] x) => (float[N,3,2] y) <int32[1] d = {3}, float[2] v = {5, 7}> { y = OneHot<axis = 1>(x, d, v) }""",
        [{"x": [[0, 2], [7, -3]]}],
    ),
    # Empty tensors whose other sizes are fixed.
    "boxes": (
        """g (float[K,4] b) => (float[4] y) <int64[1] a = {0}> { y = ReduceSum<keepdims = 0>(b, a) }""",
        [{"b": [[1, 2, 3, 4], [1, 1, 1, 1]]}, {"b": np.zeros((0, 4))}],
    ),
    # Rows that influence each other.
    "softmax_rows": (
        """g (float[N,3] x) => (float[N,3] y) { y = Softmax<axis = 0>(x) }""",
        [{"x": [[1, 2, 3], [3, 2, 1]]}],
    ),
    "cumulative": (
        """g (float[N,2] x) => (float[N,2] y) <int64 a = {0}> { y = CumSum(x, a) }""",
        [{"x": [[1, 2], [3, 4], [5, 6]]}],
    ),
    "centered": (
        """g (float[N,2] x) => (float[N,2] y) { m = ReduceMean<axes = [0], keepdims = 1>(x) y = Sub(x, m) }""",
        [{"x": [[1, 2], [3, 6]]}],
    ),
    # Operators that are not element-wise, between quantized tensors.
    "quantized_softmax": (
        """g (float[N,4] x) => (float[N,4] y) <float s = {0.03125}, int8 z = {0}, float t = {0.00390625}, int8 o = {-128}>
        { q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) p = Softmax<axis = 1>(d)
          r = QuantizeLinear(p, t, o) y = DequantizeLinear(r, t, o) }""",
        [{"x": [[1, 2, 3, 3.5], [3.5, 3, 2, 1]]}],
    ),
    "quantized_log_softmax": (
        """g (float[N,4] x) => (float[N,4] y) <float s = {0.0625}, uint8 z = {128}>
        { q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) p = LogSoftmax<axis = 1>(d)
          r = QuantizeLinear(p, s, z) y = DequantizeLinear(r, s, z) }""",
        [{"x": [[1, 2, 3, 3.5], [3.5, 3, 2, 1]]}],
    ),
    "quantized_hardmax": (
        """g (float[N,4] x) => (float[N,4] y) <float s = {0.0625}, uint8 z = {128}>
        { q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) p = Hardmax<axis = 1>(d)
          r = QuantizeLinear(p, s, z) y = DequantizeLinear(r, s, z) }""",
        [{"x": [[1, 2, 3, 3.5], [3.5, 3, 2, 1]]}],
    ),
    "quantized_types": (
        """g (float[N,4] x) => (float[N,4] y) <float s = {0.0625}, uint8 z = {128}, int8 i = {0}>
        { q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) p = Sigmoid(d)
          r = QuantizeLinear(p, s, i) y = DequantizeLinear(r, s, i) }""",
        [{"x": [[-3, 2, 3, 3.5]]}],
    ),
    "quantized_relu": (
        """g (float[N,4] x) => (float[N,4] y) <float s = {0.0625}, uint8 z = {128}>
        { q = QuantizeLinear(x, s, z) d = DequantizeLinear(q, s, z) p = LeakyRelu(d)
          r = QuantizeLinear(p, s, z) y = DequantizeLinear(r, s, z) }""",
        [{"x": [[-3, 2, 3, 3.5]]}],
    ),
    # An extreme of nothing.
    "reduce_max_nothing": (
        """g (float[N,S] x) => (float[N,1] y) { y = ReduceMax<axes = [1]>(x) }""",
        [{"x": [[1, 3, 2]]}, {"x": np.zeros((2, 0))}],
    ),
}

REFUSED = {
    "training_dropout": (
        "g (float[3] x, float r, bool t) => (float[3] y) { y = Dropout<seed = 0>(x, r, t) }",
        "`Dropout` of the node `y` is in training mode",
    ),
    "training_norm": (
        """g (float[N,2] x) => (float[N,2] y, float[2] m, float[2] v) <float[2] s = {1, 1}, float[2] b = {0, 0}>
        { y, m, v = BatchNormalization<training_mode = 1>(x, s, b, b, s) }""",
        "`BatchNormalization` of the node `y` is in training mode",
    ),
    "random": ("g (float[N,2] x) => (float[N,2] y) { r = RandomNormalLike(x) y = Add(x, r) }", "draws random numbers"),
    "multinomial": ("g (float[N,2] x) => (int32[N,1] y) { y = Multinomial(x) }", "draws random numbers"),
    "reduce_max_bool": (
        "g (bool[4,2] x) => (bool[4,1] y) { y = ReduceMax<axes = [1]>(x) }",
        "`ReduceMax` of the node `y` (opset 17)",
    ),
    "open_gru": (
        """g (float[S,N,2] x, float[1,3,2] w, float[1,3,1] r) => (float[S,1,N,1] y) { y = GRU<hidden_size = 1>(x, w, r) }""",
        "`GRU` of the node `y` (opset 17)",
    ),
    "bfloat16": ("g (bfloat16[N,2] x) => (bfloat16[N,2] y) { y = Identity(x) }", "BFLOAT16"),
    # Two classes in a form that onnxruntime alone decides.
    "odd_trees": (
        """g (float[N,1] x) => (int64[N] label, float[N,2] scores)
        { label, scores = ai.onnx.ml.TreeEnsembleClassifier<classlabels_int64s = [0, 1], class_ids = [1, 1], class_nodeids = [1, 2],
          class_treeids = [0, 0], class_weights = [0.3, 0.8], nodes_falsenodeids = [2, 0, 0], nodes_featureids = [0, 0, 0],
          nodes_modes = ["BRANCH_LEQ", "LEAF", "LEAF"], nodes_nodeids = [0, 1, 2], nodes_treeids = [0, 0, 0],
          nodes_truenodeids = [1, 0, 0], nodes_values = [0.5, 0.0, 0.0], post_transform = "NONE">(x) }""",
        "`ai.onnx.ml:TreeEnsembleClassifier` of the node `label`",
    ),
    # Trees that lead out of the list of nodes, or in a circle.
    "wild_trees": (
        """g (float[N,1] x) => (int64[N] label, float[N,2] scores)
        { label, scores = ai.onnx.ml.TreeEnsembleClassifier<classlabels_int64s = [0, 1], class_ids = [0, 0], class_nodeids = [1, 2],
          class_treeids = [0, 0], class_weights = [0.3, 0.8], nodes_falsenodeids = [900, 0, 0], nodes_featureids = [0, 0, 0],
          nodes_modes = ["BRANCH_LEQ", "LEAF", "LEAF"], nodes_nodeids = [0, 1, 2], nodes_treeids = [0, 0, 0],
          nodes_truenodeids = [1, 0, 0], nodes_values = [0.5, 0.0, 0.0], post_transform = "NONE">(x) }""",
        "a child of the node 0 of its tree 0 does not exist",
    ),
}


def main():
    known = {"runs": {}, "refused": {}}
    for name, (text, inputs) in RUNS.items():
        model = parser.parse_model(HEAD + text)
        onnx.save(model, HERE / f"{name}.onnx")
        session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        types = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32}
        cases = []
        for given in inputs:
            arrays = {i.name: np.asarray(given[i.name], types[i.type]) for i in session.get_inputs()}
            outputs = dict(zip([o.name for o in session.get_outputs()], session.run(None, arrays)))
            tell = lambda tensors: {n: {"shape": a.shape, "values": [v if np.isfinite(v) else str(v) for v in a.ravel().tolist()]} for n, a in tensors.items()}
            cases.append({"inputs": tell(arrays), "outputs": tell(outputs)})
        known["runs"][name] = cases
    for name, (text, reason) in REFUSED.items():
        onnx.save(parser.parse_model(HEAD + text), HERE / f"refused_{name}.onnx")
        known["refused"][name] = reason
    # A model with ONNX's test data beside it.
    folder = HERE / "negated"
    (folder / "test_data_set_0").mkdir(parents=True, exist_ok=True)
    onnx.save(parser.parse_model(HEAD + "g (float[N,2] x) => (float[N,2] y) { y = Neg(x) }"), folder / "model.onnx")
    for name, sign in [("input_0", 1), ("output_0", -1)]:
        tensor = onnx.numpy_helper.from_array(sign * np.array([[1, 2], [3, 4]], np.float32))
        (folder / "test_data_set_0" / f"{name}.pb").write_bytes(tensor.SerializeToString())
    (HERE / "edge.json").write_text(json.dumps(known, separators=(",", ":")) + "\n")


main()
