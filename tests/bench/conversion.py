"""Rows about one conversion: the real programs on random checkpoints of the published sizes."""
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import time

import machine

MIB = 1 << 20
STAGES = ("resolve", "trace", "export")


def copy(source, target):
    """cp and fsync of a folder, in seconds."""
    machine.cold(source.iterdir())
    begin = time.monotonic()
    subprocess.run(["cp", "-r", "--reflink=never", source, target], check=True)
    for path in [*target.iterdir(), target, target.parent]:
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
    seconds = time.monotonic() - begin
    shutil.rmtree(target)
    return seconds


class Subject:
    """A checkpoint, made when it is first needed, and the measurements of its conversions."""

    def __init__(self, bench, arch, size, *sets):
        self.bench = bench
        self.folder = bench.scratch / "-".join((arch, size, *sets)).replace("=", "")
        self.checkpoint = self.folder / "checkpoint"
        self.artifact = self.folder / "artifact"
        self.make = [bench.build / "tests/tools/mkcheckpoint", "--arch", arch, "--size", size,
                     *(word for s in sets for word in ("--set", s)), self.checkpoint]
        self.seconds, self.copies, self.results, self.cached = [], [], [], []

    def run(self, *options):
        """One conversion, from a cold page cache: what colconvctl says of it, and the seconds it took."""
        if not self.checkpoint.exists():
            self.folder.mkdir()
            self.bench.say("making %s", self.folder.name)
            subprocess.run(self.make, check=True, stdout=subprocess.DEVNULL)
        if self.artifact.exists():
            shutil.rmtree(self.artifact)
        inputs = list(self.checkpoint.iterdir())
        machine.cold(inputs)
        self.cached.append(machine.resident(inputs))
        begin = time.monotonic()
        done = subprocess.run([self.bench.build / "colconvctl", "convert", self.checkpoint, "-o", self.artifact, "--variants",
                               "text,image,unified", "--json", *options], capture_output=True, text=True)
        seconds = time.monotonic() - begin
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        return json.loads(done.stdout), seconds

    def convert(self):
        result, seconds = self.run("--no-parity")
        self.results.append(result)
        self.seconds.append(seconds)
        self.bench.say("%s: converted in %.2f s", self.folder.name, self.seconds[-1])

    def converted(self):
        if not self.results:
            self.convert()
        return self

    def compared(self):
        """Measures conversions, and copies of their files, alternately."""
        for _ in range(self.bench.repeat):
            self.convert()
            self.copies.append(copy(self.artifact, self.folder / "copy"))
            self.bench.say("%s: copied in %.2f s", self.folder.name, self.copies[-1])
        return self

    def stage(self, name, key):
        return [s[key] for r in self.results for s in r["stages"] if s["name"] == name]

    def peak(self):
        return max(max(self.stage(name, "peak_anon_bytes")) for name in STAGES)

    def written(self, *suffixes):
        return sum(f.stat().st_size for f in self.artifact.iterdir() if f.name.endswith(suffixes or ""))

    def remove(self):
        if self.folder.exists():
            shutil.rmtree(self.folder)


def anon(pid):
    return int(machine.field(f"/proc/{pid}/status", "RssAnon").split()[0]) * 1024


def worker_idle(bench):
    """Anonymous memory of a worker that has loaded its libraries and waits for a job."""
    with subprocess.Popen([bench.build / "colconv-worker"], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as worker:
        waiting = lambda: machine.field(f"/proc/{worker.pid}/status", "State").startswith("S") and \
            pathlib.Path(f"/proc/{worker.pid}/wchan").read_text().find("pipe") >= 0
        end = time.monotonic() + 20
        while not waiting() and time.monotonic() < end:
            time.sleep(0.02)
        size = anon(worker.pid)
        worker.stdin.close()
    return size


def convert(subject):
    subject.compared()
    seconds, copies = statistics.median(subject.seconds), statistics.median(subject.copies)
    return seconds / copies, {
        "seconds": subject.seconds, "reference_seconds": subject.copies, "bytes_written": subject.written(),
        "inputs_in_cache": subject.cached,
        "stages": {name: statistics.median(subject.stage(name, "seconds")) for name in STAGES},
        "words": f"{seconds:.1f} s against {copies:.1f} s for {subject.written() / 1e9:.1f} GB",
    }


def memory(subject):
    subject.converted()
    loaded = worker_idle(subject.bench)
    return subject.peak() / MIB, {
        "libtorch_loaded": loaded, "stages": {name: max(subject.stage(name, "peak_anon_bytes")) for name in STAGES},
        "words": f"{loaded / MIB:.0f} MiB of it is libtorch, loaded and idle",
    }


def deep(subject, plain):
    subject.converted()
    plain.converted()
    growth = subject.peak() - plain.peak()
    subject.remove()
    return subject.peak() / MIB, {"growth": growth, "words": f"{growth / MIB:+.1f} MiB against half as many layers"}


def disk(subject):
    subject.converted()
    once = subject.results[-1]["parameters"] * 4
    files = subject.written(".onnx", "_data") or subject.written()
    return files / once, {"bytes": files, "weights": once, "words": f"{files / 1e9:.3f} GB of {once / 1e9:.3f} GB"}


def prove(subject):
    """One conversion with its check."""
    seconds = {s["name"]: s["seconds"] for s in subject.run()[0]["stages"]}
    checked = seconds["reference"] + seconds["parity"]
    return checked / seconds["export"], {"stages": seconds, "words": f"{checked:.1f} s for {seconds['export']:.1f} s of export"}


def trace(subject):
    subject.converted()
    seconds = subject.stage("trace", "seconds")
    subject.remove()    # its last row
    return statistics.median(seconds), {"seconds": seconds, "words": "three graphs"}


def rows(bench):
    """(name, what, unit, reach, function) of every row here; a function is called once, in this order."""
    qwen_size, pali_size = ("tiny", "tiny") if bench.tiny else ("2b", "3b")
    layers = ("num_hidden_layers=6", "depth=6") if bench.tiny else ("num_hidden_layers=56", "depth=64")
    qwen = Subject(bench, "colqwen2", qwen_size)
    qwen_deep = Subject(bench, "colqwen2", qwen_size, *layers)
    pali = Subject(bench, "colpali", pali_size)
    for prefix, title, subject in (("", f"ColQwen2 {qwen_size}", qwen), ("colpali-", f"ColPali {pali_size}", pali)):
        yield prefix + "convert", f"{title}: convert / cp + fsync", "", "<= 1.25", lambda s=subject: convert(s)
        yield prefix + "memory", f"{title}: peak anonymous memory", "MiB", "<= 256", lambda s=subject: memory(s)
        if subject is qwen:
            yield "deep", "ColQwen2 twice as deep: peak memory", "MiB", "<= 256", lambda: deep(qwen_deep, qwen)
        yield prefix + "prove", f"{title}: reference + parity / export", "", "<= 5" if subject is qwen else None, lambda s=subject: prove(s)
        yield prefix + "disk", f"{title}: files / weights once", "", "<= 1.01", lambda s=subject: disk(s)
        yield prefix + "trace", f"{title}: trace", "s", "<= 1", lambda s=subject: trace(s)
