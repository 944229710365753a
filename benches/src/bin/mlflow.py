"""Saves and loads models by MLflow's client: a command a line on stdin, the nanoseconds it took on stdout."""

import logging
import sys
import time

import mlflow
import numpy as np
from sklearn.linear_model import LinearRegression

logging.getLogger("mlflow").setLevel(logging.ERROR)
out, sys.stdout = sys.stdout, sys.stderr
rng = np.random.default_rng(1)
versions = {}


def model(kind):
    fitted = LinearRegression().fit(rng.random((50, 4)), rng.random(50))
    if kind == "large":
        fitted.coef_ = rng.random(12_500_000)
    return fitted


def save(kind):
    fitted = model(kind)
    started = time.perf_counter_ns()
    info = mlflow.sklearn.log_model(
        fitted,
        name="model",
        registered_model_name=f"bench~{kind}",
        pip_requirements=["scikit-learn", "skops"],
    )
    took = time.perf_counter_ns() - started
    versions[kind] = (info.registered_model_version, fitted)
    return took


def load(kind):
    version, fitted = versions[kind]
    started = time.perf_counter_ns()
    loaded = mlflow.sklearn.load_model(f"models:/bench~{kind}/{version}")
    took = time.perf_counter_ns() - started
    assert np.array_equal(loaded.coef_, fitted.coef_)
    return took


for line in sys.stdin:
    verb, kind = line.split()
    print({"save": save, "load": load}[verb](kind), file=out, flush=True)
