"""Writes models of scikit-learn, LightGBM and XGBoost with what they answer themselves.

    estimators.py FOLDER [NAME ...]

Writes FOLDER/CASE/model.onnx, input.json (rows) and expected.json (the values of each output, by name). Without names,
all estimators of scikit-learn that skl2onnx converts, and the tree models of the three libraries. Where an export does
not answer as its library in Python's onnxruntime either, its answers are taken from there, and the case has the file
`export`. Prints what could not be fitted or converted.
"""

import json
import sys
import warnings
from pathlib import Path

import numpy as np
import onnxruntime
from skl2onnx import to_onnx, update_registered_converter
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from skl2onnx.common.shape_calculator import (
    calculate_linear_classifier_output_shapes,
    calculate_linear_regressor_output_shapes,
)
from sklearn import base, datasets, linear_model, tree, svm
from sklearn.utils import all_estimators

warnings.filterwarnings("ignore")
onnxruntime.set_default_logger_severity(4)

ROWS = 40
# What constructors need; others are made without arguments.
NEEDED = {
    "ClassifierChain": lambda kind: kind(linear_model.LogisticRegression()),
    "ColumnTransformer": lambda kind: kind([("some", "passthrough", [0, 1])]),
    "FeatureUnion": lambda kind: kind([("all", linear_model_scaler())]),
    "FixedThresholdClassifier": lambda kind: kind(linear_model.LogisticRegression()),
    "GridSearchCV": lambda kind: kind(linear_model.LogisticRegression(), {"C": [0.1, 1.0]}),
    "LocalOutlierFactor": lambda kind: kind(novelty=True),
    "MultiOutputClassifier": lambda kind: kind(linear_model.LogisticRegression()),
    "MultiOutputRegressor": lambda kind: kind(linear_model.Ridge()),
    "OneVsOneClassifier": lambda kind: kind(linear_model.LogisticRegression()),
    "OneVsRestClassifier": lambda kind: kind(linear_model.LogisticRegression()),
    "OutputCodeClassifier": lambda kind: kind(linear_model.LogisticRegression()),
    "Pipeline": lambda kind: kind([("scaler", linear_model_scaler()), ("model", linear_model.Ridge())]),
    "RFE": lambda kind: kind(linear_model.Ridge()),
    "RFECV": lambda kind: kind(linear_model.Ridge()),
    "RandomizedSearchCV": lambda kind: kind(linear_model.LogisticRegression(), {"C": [0.1, 1.0]}, n_iter=2),
    "RegressorChain": lambda kind: kind(linear_model.Ridge()),
    "SelectFromModel": lambda kind: kind(linear_model.Ridge()),
    "SequentialFeatureSelector": lambda kind: kind(linear_model.Ridge()),
    "StackingClassifier": lambda kind: kind([("a", linear_model.LogisticRegression()), ("b", tree.DecisionTreeClassifier())]),
    "StackingRegressor": lambda kind: kind([("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor())]),
    "TunedThresholdClassifierCV": lambda kind: kind(linear_model.LogisticRegression()),
    "VotingClassifier": lambda kind: kind([("a", linear_model.LogisticRegression()), ("b", tree.DecisionTreeClassifier())]),
    "VotingRegressor": lambda kind: kind([("a", linear_model.Ridge()), ("b", tree.DecisionTreeRegressor())]),
}


def linear_model_scaler():
    from sklearn.preprocessing import StandardScaler

    return StandardScaler()


def flowers(classes, text):
    """Rows of iris with two or three labels."""
    x, y = datasets.load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])
    if classes == 2:
        x, y = x[50:], y[50:] - 1
        names = names[1:]
    return x.astype(np.float32), names[y] if text else y


def is_close(a, b):
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype.kind not in "fiub":
        return a.shape == b.shape and bool((a.astype(str) == b.astype(str)).all())
    if a.dtype.kind in "iub" and b.dtype.kind in "iub":
        return bool((a == b).all())
    a, b = a.astype(float), b.astype(float)
    near = np.abs(a - b) <= 1e-4 * np.maximum(1, np.abs(b))
    return bool((near | (np.isnan(a) & np.isnan(b)) | (a == b)).all())


def plain(value):
    """A value of `input.json` or `expected.json`; NaN is a text, as Larder reads it."""
    value = np.asarray(value)
    if value.dtype.kind in "OUS":
        return value.astype(str).tolist()
    if value.dtype.kind == "f" and np.isnan(value).any():
        value = np.where(np.isnan(value), "NaN", value.astype(object))
    return value.tolist()


def own_answers(model, x):
    """What the model says itself, in the order of the outputs; None for what the export alone defines."""
    if base.is_classifier(model):
        scores = model.predict_proba(x) if hasattr(model, "predict_proba") else None
        if isinstance(scores, list):
            scores = np.stack(scores)
        return [model.predict(x), scores]
    if base.is_outlier_detector(model):
        return [model.predict(x), model.decision_function(x)]
    if base.is_clusterer(model) and hasattr(model, "transform"):
        return [model.predict(x), model.transform(x)]
    if hasattr(model, "predict_proba"):
        return [model.predict(x), model.predict_proba(x)]
    if hasattr(model, "predict") and (base.is_regressor(model) or base.is_clusterer(model)):
        return [model.predict(x)]
    if hasattr(model, "transform"):
        given = model.transform(x)
        return [given.toarray() if hasattr(given, "toarray") else given]
    return [model.predict(x)]


def write(folder, name, onnx, x, own):
    """Writes a case; returns why not, or an empty text."""
    content = onnx.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    (port,) = session.get_inputs()
    names = [output.name for output in session.get_outputs()]
    answers = session.run(None, {port.name: x})
    changed, expected = False, {}
    for at, (output, answer) in enumerate(zip(names, answers)):
        wanted = own[at] if at < len(own) else None
        keys = None
        if isinstance(answer, list) and answer and isinstance(answer[0], dict):
            keys = list(answer[0])
            answer = np.array([[row[key] for key in keys] for row in answer])
        answer = np.asarray(answer)
        value = answer
        if wanted is not None:
            wanted = np.asarray(wanted)
            if wanted.dtype.kind == "O":
                wanted = wanted.astype(str)
            if wanted.shape != answer.shape and wanted.size == answer.size:
                wanted = wanted.reshape(answer.shape)
            if is_close(answer, wanted):
                value = wanted
            else:
                changed = True
        if keys is not None:
            value = [dict(zip(map(str, keys), map(float, row))) for row in value]
            expected[output] = value
        else:
            expected[output] = plain(value)
    case = folder / name
    case.mkdir(parents=True)
    (case / "model.onnx").write_bytes(content)
    (case / "input.json").write_text(json.dumps(plain(x)))
    (case / "expected.json").write_text(json.dumps(expected))
    if changed:
        (case / "export").write_text("")


def columns(x):
    if x.dtype.kind in "OU":
        return [("X", StringTensorType([None, x.shape[1]]))]
    if x.dtype.kind == "i":
        return [("X", Int64TensorType([None, x.shape[1]]))]
    return [("X", FloatTensorType([None, x.shape[1]]))]


def default_estimator(folder, name, kind, failed):
    """All kinds of labels for a classifier, else one case."""
    variants = [("", *flowers(3, False))]
    if issubclass(kind, base.ClassifierMixin):
        variants += [
            (".two", *flowers(2, False)),
            (".text", *flowers(3, True)),
            (".two-text", *flowers(2, True)),
        ]
    elif issubclass(kind, base.RegressorMixin):
        x, y = datasets.load_diabetes(return_X_y=True)
        variants = [("", (x * 10).astype(np.float32), (y / 100).astype(np.float32))]
    for suffix, x, y in variants:
        made = 0
        for form in ("rows", "targets", "text", "integers"):
            given, labels = x, y
            if form == "targets":
                labels = np.stack([y, y], axis=1)
            elif form == "text":
                given = np.array([["red apple"], ["green apple"], ["red car"], ["a green green tree"]] * 10)
            elif form == "integers":
                given = np.abs(x).astype(np.int64)
            try:
                model = NEEDED[name](kind) if name in NEEDED else kind()
                if "random_state" in model.get_params():
                    model.set_params(random_state=0)
                takes_documents = form == "text" and "ectorizer" in name
                fitted = given[:, 0] if takes_documents else given
                if len(labels) == len(given):
                    model.fit(fitted, labels)
                else:
                    model.fit(fitted)
                rows = given[:: max(1, len(given) // ROWS)][:ROWS]
                if "Imputer" in name and form == "rows":
                    rows = rows.copy()
                    rows[::3, 1] = np.nan
                asked = rows[:, 0] if takes_documents else rows
                own = own_answers(model, asked)
                opsets = {"": 15, "ai.onnx.ml": 3} if name in ("IsolationForest",) else None
                onnx = to_onnx(model, initial_types=columns(given), target_opset=opsets)
                write(folder, f"sklearn.{name}{suffix}", onnx, rows, own)
                made = 1
                break
            except Exception as error:
                reason = f"{type(error).__name__}: {error}".splitlines()[0][:150]
                if form == "rows":
                    first = reason
        if not made:
            failed.append(f"{name}{suffix}: {first}")
            break


def boosted_trees(folder, failed):
    """LightGBM and XGBoost, with two and three labels, and text labels where the library has them."""
    import lightgbm
    import xgboost
    from onnxmltools.convert.lightgbm.operator_converters.LightGbm import convert_lightgbm
    from onnxmltools.convert.xgboost.operator_converters.XGBoost import convert_xgboost

    scores = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    for kind, alias, convert, shapes, options in [
        (lightgbm.LGBMClassifier, "LightGbmLGBMClassifier", convert_lightgbm, calculate_linear_classifier_output_shapes, scores),
        (lightgbm.LGBMRegressor, "LightGbmLGBMRegressor", convert_lightgbm, calculate_linear_regressor_output_shapes, {"split": None}),
        (xgboost.XGBClassifier, "XGBoostXGBClassifier", convert_xgboost, calculate_linear_classifier_output_shapes, scores),
        (xgboost.XGBRegressor, "XGBoostXGBRegressor", convert_xgboost, calculate_linear_regressor_output_shapes, None),
    ]:
        name = kind.__name__
        update_registered_converter(kind, alias, shapes, convert, options=options)
        quiet = {"verbosity": -1} if "LGBM" in name else {}
        variants = [(".three", *flowers(3, False)), (".two", *flowers(2, False)), (".text", *flowers(3, True)), (".two-text", *flowers(2, True))]
        if name.endswith("Regressor"):
            x, y = datasets.load_diabetes(return_X_y=True)
            variants = [("", (x * 10).astype(np.float32), (y / 100).astype(np.float32))]
        for suffix, x, y in variants:
            if "XGB" in name and "text" in suffix:
                continue
            for boosting in (["gbdt", "dart", "rf"] if "LGBM" in name else ["gbtree", "dart"]):
                settings = dict(quiet, n_estimators=20)
                settings["boosting_type" if "LGBM" in name else "booster"] = boosting
                if boosting == "rf":
                    settings.update(bagging_freq=1, bagging_fraction=0.7)
                try:
                    model = kind(**settings).fit(x, y)
                    rows = x[:: len(x) // ROWS][:ROWS]
                    own = [model.predict(rows)]
                    if hasattr(model, "predict_proba"):
                        own.append(model.predict_proba(rows))
                    onnx = to_onnx(model, initial_types=columns(x), target_opset={"": 15, "ai.onnx.ml": 3})
                    write(folder, f"{name}{suffix}.{boosting}", onnx, rows, own)
                except Exception as error:
                    failed.append(f"{name}{suffix}.{boosting}: {type(error).__name__}: {error}".splitlines()[0][:200])


def main():
    folder, wanted = Path(sys.argv[1]), sys.argv[2:]
    failed = []
    for name, kind in all_estimators():
        if not wanted or name in wanted:
            default_estimator(folder, name, kind, failed)
    # XGBoost's wheel is large: the tests of a few models do without it.
    if not wanted:
        boosted_trees(folder, failed)
    for reason in failed:
        print(reason)


main()
