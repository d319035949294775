"""The same network run by torch, made from the ONNX file by onnx2torch, behind the tuned FastAPI handler."""

import tempfile
from pathlib import Path
from typing import Annotated

import anyio.to_thread
import numpy as np
import onnx
import onnxruntime
import torch
import uvicorn
from fastapi import Body, FastAPI
from onnx2torch import convert
from recipe import CONTRACT_PATH, CORES, PORT, TUNED, Recipe


def plain(path: Path) -> onnx.ModelProto:
    """The part of the graph that gives the scores, as onnx2torch can read it.

    One picture at a time, constants worked out, no bound of a Clip left out, and opset 17, where a mean has its axes
    as an attribute. The activation map is left out, so torch has a little less to do than the others.
    """
    with tempfile.TemporaryDirectory() as folder:
        fixed, short = str(Path(folder) / "fixed.onnx"), str(Path(folder) / "short.onnx")
        options = onnxruntime.SessionOptions()
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = fixed
        options.add_free_dimension_override_by_name("n", 1)
        onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        onnx.utils.extract_model(fixed, short, ["pixels"], ["logits"], check_model=False)
        model = onnx.load(short)
    limits = np.finfo(np.float32)
    values = {constant.name: onnx.numpy_helper.to_array(constant) for constant in model.graph.initializer}
    for name, value in (("least", limits.min), ("most", limits.max)):
        model.graph.initializer.append(onnx.numpy_helper.from_array(np.array(value, np.float32), name))
    for node in model.graph.node:
        if node.op_type == "Clip":
            given = [*node.input, "", ""][:3]
            node.input[:] = [given[0], given[1] or "least", given[2] or "most"]
        if node.op_type == "ReduceMean":
            axes = values[node.input[1]].tolist()
            keep = next((item for item in node.attribute if item.name == "keepdims"), None)
            del node.input[1:], node.attribute[:]
            node.attribute.append(onnx.helper.make_attribute("axes", axes))
            if keep is not None:
                node.attribute.append(keep)
    del model.opset_import[:]
    model.opset_import.append(onnx.helper.make_opsetid("", 17))
    return model


torch.set_num_threads(1 if TUNED else CORES)
recipe = Recipe(threads=1)
network = convert(plain(CONTRACT_PATH.parent / recipe.contract["file"])).eval()
app = FastAPI()


@app.post("/predict")
def predict(data: Annotated[bytes, Body(media_type="image/jpeg")]) -> dict[str, float]:
    """Decoded as by the others, scored by torch."""
    with torch.inference_mode():
        logits = network(torch.from_numpy(recipe.pixels(data).copy())[None])
    return recipe.calibrated(logits[0].numpy())


@app.on_event("startup")
async def limit_threads() -> None:
    """No more pictures at once than cores."""
    anyio.to_thread.current_default_thread_limiter().total_tokens = CORES if TUNED else 40


@app.get("/health")
async def health() -> dict[str, str]:
    """Ready."""
    return {"status": "ok"}


if __name__ == "__main__":
    uvicorn.run(app, port=PORT, log_level="warning")
