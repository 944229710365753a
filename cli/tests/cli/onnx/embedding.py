"""Answers with Python's onnxruntime: embedding.py MODEL < {"input_ids": [[…], …], …} prints its outputs by name."""

import json
import sys

import numpy
import onnxruntime

session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
given = {name: numpy.array(values, numpy.int64) for name, values in json.load(sys.stdin).items()}
outputs = session.run(None, {port.name: given[port.name] for port in session.get_inputs()})
print(json.dumps({port.name: value.tolist() for port, value in zip(session.get_outputs(), outputs)}))
