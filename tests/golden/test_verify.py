"""colconvctl verify: ONNX files of any origin against the checkpoint that they should be."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest

from programs import BIN

HERE = pathlib.Path(__file__).parent
TINY = HERE / "colqwen2-tiny"


def ctl(*args, **env):
    return subprocess.run([BIN / "colconvctl", *args], capture_output=True, text=True, timeout=120, env={**os.environ, **env})


def convert(checkpoint, out, *more):
    done = ctl("convert", checkpoint, "-o", out, "--no-parity", *more)
    assert done.returncode == 0, done.stderr
    return out


def verify(folder, *more, checkpoint=TINY):
    done = ctl("verify", folder, "--checkpoint", checkpoint, "--json", *more)
    return done.returncode, json.loads(done.stdout) if done.stdout else done.stderr


def failed(report):
    return {(run["name"], run["model"]) for run in report["cases"] if not run["passed"]}


def foreign(out, renamed=()):
    """As if another program had made it: without our manifest, and with its own names of inputs. They are as long as ours."""
    (out / "manifest.json").unlink()
    for path in out.glob("*.onnx"):
        data = path.read_bytes()
        for old, new in renamed:
            assert len(old) == len(new)
            data = data.replace(old, new)
        path.write_bytes(data)
    return out


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return convert(TINY, tmp_path_factory.mktemp("verify") / "artifact")


@pytest.fixture
def artifact(made, tmp_path):
    """One to do harm to."""
    return pathlib.Path(shutil.copytree(made, tmp_path / "artifact"))


def test_own_artifact(tmp_path):
    out = convert(HERE / "e2e-colidefics3", tmp_path / "artifact", "--variants", "text,image,unified,preprocess,page")
    status, report = verify(out, checkpoint=HERE / "e2e-colidefics3")
    assert status == 0 and report["passed"] and not failed(report)
    assert {run["model"] for run in report["cases"]} == {"text", "image", "unified", "preprocess", "page"}


def test_half_precision(tmp_path):
    """Within the limits that the artifact was published within; beyond those of float32."""
    out = tmp_path / "artifact"
    assert ctl("convert", TINY, "-o", out, "--dtype", "fp16").returncode == 0
    assert verify(out)[0] == 0
    status, report = verify(out, "--max-abs", "1e-4")
    assert status == 10 and failed(report)


@pytest.mark.parametrize("renamed", [(), ((b"pixel_values", b"Pixel.Values"), (b"attention_mask", b"Attention-Mask")),
                                     ((b"input_ids", b"model/ids"), (b"embeddings", b"x_embedded"))], ids=["ours", "marks", "scopes"])
def test_somebody_elses(artifact, renamed):
    status, report = verify(foreign(artifact, renamed))
    assert status == 0, report
    assert {run["model"] for run in report["cases"]} == {"text", "image"}


def test_wrong_for_pages(tmp_path):
    """Positions that the model was not trained with: queries are right, and nothing but a comparison shows that pages are not."""
    out = convert(TINY, tmp_path / "artifact", "--positions", "arange")
    assert verify(out)[0] == 0    # the manifest says that it was asked for
    status, report = verify(foreign(out))
    assert status == 10 and not report["passed"]
    assert ("image-several", "image") in failed(report) and {model for _, model in failed(report)} == {"image"}
    done = ctl("verify", out, "--checkpoint", TINY)
    row = next(line for line in done.stdout.splitlines() if line.startswith("image-several"))
    assert done.returncode == 10 and row.endswith("FAILED") and done.stdout.splitlines()[-1].startswith("FAILED: limits are")


def test_weights_of_another(tmp_path, artifact):
    data = bytearray((artifact / "model.onnx_data").read_bytes())
    data[3::28] = bytes(byte ^ 0x80 for byte in data[3::28])    # signs
    (artifact / "model.onnx_data").write_bytes(data)
    status, report = verify(artifact)
    assert status == 10 and failed(report)


def test_own_cases(made):
    done = ctl("verify", made, "--cases", TINY, "--json")
    report = json.loads(done.stdout)
    assert done.returncode == 0 and {run["name"] for run in report["cases"]} >= {"image-mixed", "text-batch"}


def test_names_that_are_not_known(artifact):
    foreign(artifact, [(b"pixel_values", b"stuff_values")])
    status, said = verify(artifact)
    assert status == 2 and "could both be the graph for texts" in said and "--model text=FILE" in said
    files = ("--model", "text=text.onnx", "--model", "image=image.onnx")
    status, said = verify(artifact, *files)
    assert status == 5 and "has no 'in.stuff_values', an input of the image graph; --input" in said
    assert verify(artifact, *files, "--input", "stuff_values=pixel_values")[0] == 0
    assert verify(artifact, *files, "--input", "stuff_values=pixel_values", "--result", "embeddings")[0] == 0
    status, said = verify(artifact, *files, "--input", "stuff_values=pixel_values", "--result", "logits")
    assert status == 2 and "has no output 'logits'" in said


def test_what_is_missing(artifact, tmp_path):
    for args, status, said in [((artifact,), 2, "verify needs --checkpoint"),
                               ((tmp_path / "none", "-c", TINY), 2, "is not a folder"),
                               ((HERE, "-c", TINY), 2, "no .onnx file in"),
                               ((artifact, "-c", tmp_path / "none"), 5, "none"),
                               ((artifact, "-c", TINY, "--model", "text=none.onnx"), 2, "there is no file 'none.onnx'"),
                               ((artifact, "-c", TINY, "--model", "text"), 2, "--model must be GRAPH=FILE"),
                               ((artifact, "-c", HERE / "colpali-tiny"), 5, "has no 'in.image_grid_thw', an input of the image graph")]:
        done = ctl("verify", *args)
        assert done.returncode == status and said in done.stderr, (args, done.stderr)
    (foreign(artifact) / "text.onnx").write_bytes(b"hello")
    done = ctl("verify", artifact, "-c", TINY)
    assert done.returncode == 5 and "text.onnx" in done.stderr


def test_nothing_is_left(artifact, tmp_path):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    for checkpoint in (TINY, tmp_path / "none"):
        ctl("verify", artifact, "-c", checkpoint, TMPDIR=str(temporary))
    assert list(temporary.glob("colconvctl*")) == []


def threads_of(artifact, cpus):
    """The most threads that colconv-parity has while it may use these CPUs."""
    running = subprocess.Popen([BIN / "colconv-parity", f"--model=text={artifact / 'text.onnx'}", "--cases", TINY], stdout=subprocess.DEVNULL,
                               preexec_fn=lambda: os.sched_setaffinity(0, cpus))
    most = 0
    while running.poll() is None:
        most = max(most, len(list(pathlib.Path(f"/proc/{running.pid}/task").iterdir())))
    assert running.returncode == 0
    return most


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one CPU")
def test_threads_for_the_cpus_that_it_may_use(made):
    cpus = sorted(os.sched_getaffinity(0))
    assert threads_of(made, cpus[:1]) < threads_of(made, cpus[:2])
