"""The batch benchmark's peer: a plain loop over ONNX Runtime, one input after the other.

    python loop.py MODEL INPUTS.npy

Prints the seconds that the loop takes, without loading anything, and the most memory in MB. One thread,
as in `app.py`; the outputs are stacked, as one would want them.
"""

import resource
import sys
import time

import numpy as np
import onnxruntime as ort

options = ort.SessionOptions()
options.intra_op_num_threads = 1
options.inter_op_num_threads = 1
session = ort.InferenceSession(sys.argv[1], options, providers=["CPUExecutionProvider"])
name = session.get_inputs()[0].name
inputs = np.load(sys.argv[2])
for row in range(min(200, len(inputs))):
    session.run(None, {name: inputs[row : row + 1]})

begun = time.perf_counter()
outputs = [session.run(None, {name: inputs[row : row + 1]})[0] for row in range(len(inputs))]
stacked = np.concatenate(outputs)
seconds = time.perf_counter() - begun

assert len(stacked) == len(inputs)
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
