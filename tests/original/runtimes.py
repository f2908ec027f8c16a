"""An artifact in releases of ONNX Runtime, against the embeddings of its cases.

    python3 tests/original/runtimes.py ARTIFACT CASE.safetensors... --versions 1.17.3 1.21.1 1.22.1 1.30.0

Installs each release with pip into a folder of its own, below --folder. A release older than the manifest says must fail, each other
must give the embeddings of the cases. Needs Python 3.11, for which wheels of all these releases exist.
"""
import argparse
import json
import os
import pathlib
import struct
import subprocess
import sys

LIMIT = 1e-4


def tensors(path):
    import numpy
    data = pathlib.Path(path).read_bytes()
    (n,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8:8 + n])
    header.pop("__metadata__", None)
    types = {"F32": numpy.float32, "I64": numpy.int64}
    return {name: numpy.frombuffer(data[8 + n + x["data_offsets"][0]:8 + n + x["data_offsets"][1]], types[x["dtype"]]).reshape(x["shape"])
            for name, x in header.items()}


def run(artifact, cases):
    """Under one release: the largest difference of each graph, or the first words of its error."""
    import numpy
    import onnxruntime
    manifest = json.loads((pathlib.Path(artifact) / "manifest.json").read_text())["additional_metadata"]
    said = {}
    for name, graph in manifest["graphs"].items():
        try:
            session = onnxruntime.InferenceSession(os.path.join(artifact, graph["file"]), providers=["CPUExecutionProvider"])
            worst = 0.0
            for case in cases:
                all_ = tensors(case)
                fed = {i.name: all_.get("in." + i.name) for i in session.get_inputs()}
                if any(x is None for x in fed.values()) or ("in.pixel_values" in all_) != ("pixel_values" in fed):
                    continue
                worst = max(worst, float(numpy.abs(session.run(None, fed)[0] - all_["out.embeddings"]).max()))
            said[name] = worst
        except Exception as e:  # noqa: BLE001  the runtime's errors have no common type
            said[name] = str(e).replace("\n", " ")[-120:]
    return said


def installed(folder, version):
    target = folder / version
    if not target.exists():
        older = [] if tuple(map(int, version.split("."))) >= (1, 19) else ["numpy<2"]
        subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", "--target", target, f"onnxruntime=={version}", *older], check=True)
    return target


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("artifact")
    parser.add_argument("cases", nargs="+")
    parser.add_argument("--versions", nargs="+", required=True)
    parser.add_argument("--folder", type=pathlib.Path, default=pathlib.Path("onnxruntime-releases"))
    args = parser.parse_args()
    least = {name: int(g["onnxruntime"].split(".")[1]) for name, g in json.loads(
        (pathlib.Path(args.artifact) / "manifest.json").read_text())["additional_metadata"]["graphs"].items()}
    wrong = 0
    for version in args.versions:
        env = {**os.environ, "PYTHONPATH": str(installed(args.folder, version))}
        done = subprocess.run([sys.executable, "-c", "import sys, json; sys.path.insert(0, sys.argv[1]); import runtimes; "
                               "print(json.dumps(runtimes.run(sys.argv[2], sys.argv[3:])))", os.path.dirname(os.path.abspath(__file__)),
                               args.artifact, *args.cases], env=env, capture_output=True, text=True, check=True)
        for name, said in json.loads(done.stdout.splitlines()[-1]).items():
            runs, should = isinstance(said, float) and said <= LIMIT, int(version.split(".")[1]) >= least[name]
            wrong += runs != should
            print(f"{version:8} {name:8} {'as the manifest says' if runs == should else 'WRONG':20} {said}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
