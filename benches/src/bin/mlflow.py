"""Saves and loads models by MLflow's client: a command a line on stdin, the nanoseconds it took on stdout.

`alone` after a command subtracts the time in which the client waited for answers.
"""

import logging
import sys
import time
from http.client import HTTPConnection

import mlflow
import numpy as np
from sklearn.linear_model import LinearRegression

logging.getLogger("mlflow").setLevel(logging.ERROR)
out, sys.stdout = sys.stdout, sys.stderr
rng = np.random.default_rng(1)
versions = {}
waits = []
answer = HTTPConnection.getresponse


def timed_answer(connection):
    started = time.perf_counter_ns()
    try:
        return answer(connection)
    finally:
        waits.append(time.perf_counter_ns() - started)


# Also called by the connections of urllib3.
HTTPConnection.getresponse = timed_answer


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
    verb, kind, *alone = line.split()
    waits.clear()
    took = {"save": save, "load": load}[verb](kind)
    print(took - sum(waits) if alone else took, file=out, flush=True)
