"""The benchmark's first peer: FastAPI and ONNX Runtime, as one would write it by hand.

    python app.py PORT [MODEL]

One process, one model, one intra-op thread; uvicorn on uvloop and httptools without an access log.
The body is that of our own `POST /inference`, so one load generator serves both; `model_id` is
accepted and not looked at. The handler is `async` because the models are small: a thread pool would
cost it more than the inference.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime as ort
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

MLP = Path(__file__).parents[3] / "fixtures" / "mlp.onnx"


class Tensor(BaseModel):
    data: list[float]
    shape: list[int]


class Request(BaseModel):
    model_id: str
    input: Tensor


class Answer(BaseModel):
    result: Tensor


def load(path):
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])


app = FastAPI()
session = load(sys.argv[2] if len(sys.argv) > 2 else MLP)
input_name = session.get_inputs()[0].name


@app.post("/inference")
async def inference(request: Request) -> Answer:
    x = np.array(request.input.data, dtype=np.float32).reshape(request.input.shape)
    (y, *_) = session.run(None, {input_name: x})
    return Answer(result=Tensor(data=y.ravel().tolist(), shape=list(y.shape)))


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_level="warning",
    )
