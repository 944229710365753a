"""Makes the tree ensembles in this folder, and what onnxruntime says of some rows: `trees.json`.

    pip install scikit-learn skl2onnx onnx onnxruntime lightgbm xgboost onnxmltools
    python trees.py

Each is trained on data that scikit-learn brings, and checked against the estimator's own `predict`.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from lightgbm import LGBMClassifier, LGBMRegressor
from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes, calculate_linear_regressor_output_shapes,
)
from sklearn.datasets import load_iris
from sklearn.ensemble import (
    GradientBoostingClassifier, GradientBoostingRegressor, RandomForestClassifier, RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from xgboost import XGBClassifier, XGBRegressor

warnings.filterwarnings("ignore")
HERE = Path(__file__).parent
OPTIONS = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
for kind, convert in [(LGBMClassifier, convert_lightgbm), (XGBClassifier, convert_xgboost)]:
    update_registered_converter(kind, kind.__name__, calculate_linear_classifier_output_shapes, convert, options=OPTIONS)
for kind, convert in [(LGBMRegressor, convert_lightgbm), (XGBRegressor, convert_xgboost)]:
    update_registered_converter(kind, kind.__name__, calculate_linear_regressor_output_shapes, convert)

CLASSIFIERS = {
    "tree": lambda: DecisionTreeClassifier(max_depth=2, random_state=4),
    "forest": lambda: RandomForestClassifier(3, max_depth=2, random_state=4),
    "boosted": lambda: GradientBoostingClassifier(n_estimators=3, max_depth=2, random_state=4),
    "lightgbm": lambda: LGBMClassifier(n_estimators=3, num_leaves=4, verbose=-1),
    "xgboost": lambda: XGBClassifier(n_estimators=3, max_depth=2),
}
REGRESSORS = {
    "tree": lambda: DecisionTreeRegressor(max_depth=2, random_state=4),
    "forest": lambda: RandomForestRegressor(3, max_depth=2, random_state=4),
    "boosted": lambda: GradientBoostingRegressor(n_estimators=3, max_depth=2, random_state=4),
    "lightgbm": lambda: LGBMRegressor(n_estimators=3, num_leaves=4, verbose=-1),
    "xgboost": lambda: XGBRegressor(n_estimators=3, max_depth=2),
}


def plain(value):
    if isinstance(value, np.ndarray):
        return [plain(v) for v in value]
    return float(str(value)) if isinstance(value, np.floating) else value if isinstance(value, str) else value.item()


def main():
    x, y = load_iris(return_X_y=True)
    x, two = x.astype(np.float32), y > 0
    cases = {}
    for name, make in CLASSIFIERS.items():
        cases[f"{name}_two"] = (make(), x[two], y[two] - 1)
        cases[f"{name}_three"] = (make(), x, y)
        if name != "xgboost":
            cases[f"{name}_text"] = (make(), x[two], np.array(["versicolor", "virginica"])[y[two] - 1])
    for name, make in REGRESSORS.items():
        cases[f"{name}_number"] = (make(), x, x[:, 3] * 2 + y)
    expected = {}
    for name, (estimator, x, y) in cases.items():
        estimator.fit(x, y)
        options = {id(estimator): {"zipmap": False}} if hasattr(estimator, "classes_") else None
        proto = to_onnx(estimator, x[:1], options=options, target_opset={"": 18, "ai.onnx.ml": 3})
        onnx.save(proto, HERE / f"{name}.onnx")
        session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        outputs = session.run(None, {"X": x})
        own = estimator.predict(x)
        same = (outputs[0] == own).all() if options else np.allclose(outputs[0].ravel(), own, atol=1e-4)
        assert same, f"{name}: onnxruntime and the estimator differ"
        rows = slice(None, None, 7)
        names = [output.name for output in session.get_outputs()]
        expected[name] = {
            "rows": plain(x[rows]),
            "outputs": {n: plain(o[rows]) for n, o in zip(names, outputs)},
        }
    (HERE / "trees.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")


main()
