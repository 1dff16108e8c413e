"""From a run to a SavedModel: signatures, model card, warm-up requests, ONNX."""
