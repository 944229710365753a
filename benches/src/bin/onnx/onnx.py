"""Measures Python's onnxruntime: onnx.py MODEL ROWS CALLS THREADS CALLERS prints the median time of a call, in seconds."""

import sys
import threading
import time

import numpy
import onnxruntime

path = sys.argv[1]
rows, calls, threads, callers = map(int, sys.argv[2:])
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = threads
session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
rows = numpy.full((rows, 64), 0.5, numpy.float32)


def many():
    for _ in range(calls):
        session.run(None, {name: rows})


times = []
for _ in range(16):
    begun = time.perf_counter()
    if callers == 1:
        many()
    else:
        crowd = [threading.Thread(target=many) for _ in range(callers)]
        for caller in crowd:
            caller.start()
        for caller in crowd:
            caller.join()
    times.append((time.perf_counter() - begun) / calls / callers)
print(sorted(times[1:])[7])
