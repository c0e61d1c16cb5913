"""The benchmark's second peer: LitServe and ONNX Runtime, in LitServe's own idiom.

    python app.py PORT [MODEL]

One worker, one model, one intra-op thread, single requests without batching. The body is that of
our own `POST /inference`, so one load generator serves both; `model_id` is accepted and not looked at.
"""

import signal
import sys
from pathlib import Path

import litserve as ls
import numpy as np
import onnxruntime as ort

MLP = Path(__file__).parents[3] / "fixtures" / "mlp.onnx"


class Inference(ls.LitAPI):
    def setup(self, device):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        path = sys.argv[2] if len(sys.argv) > 2 else MLP
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.input_name = self.session.get_inputs()[0].name

    def decode_request(self, request):
        tensor = request["input"]
        return np.array(tensor["data"], dtype=np.float32).reshape(tensor["shape"])

    def predict(self, x):
        return self.session.run(None, {self.input_name: x})[0]

    def encode_response(self, y):
        return {"result": {"data": y.ravel().tolist(), "shape": list(y.shape)}}


if __name__ == "__main__":
    # without this, SIGTERM ends only this process and leaves the worker and the HTTP server behind
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    server = ls.LitServer(
        Inference(api_path="/inference"), accelerator="cpu", devices=1, workers_per_device=1
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[1]),
        log_level="warning",
        generate_client_file=False,
    )
