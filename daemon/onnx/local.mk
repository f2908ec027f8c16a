# onnx
