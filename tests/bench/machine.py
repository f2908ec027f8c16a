"""Describes the machine of the measurements."""
import datetime
import os
import platform
import subprocess
import time

BLOCK = 8 << 20
DISK_LEN = 1 << 30


def first_line(*argv):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=60)
    except OSError:
        return None
    return (done.stdout.splitlines() or [None])[0] if done.returncode == 0 else None


def field(path, name):
    with open(path) as f:
        for line in f:
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return None


def cold(paths):
    """Drops clean files from the page cache; the kernel may not drop all of them."""
    for path in paths:
        fd = os.open(path, os.O_RDONLY)
        os.fsync(fd)
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)


def resident(paths):
    """Bytes of the files that are in the page cache; None where fincore cannot tell."""
    line = first_line("sh", "-c", "fincore -b -n -o RES \"$@\" | awk '{ n += $1 } END { print n }'", "sh", *map(str, paths))
    return int(line) if line else None


def disk_speed(folder, length=DISK_LEN):
    """Bytes a second: written with one fsync, and read back cold."""
    path = os.path.join(folder, "speed")
    block = os.urandom(BLOCK)
    begin = time.monotonic()
    with open(path, "wb", buffering=0) as f:
        for _ in range(length // BLOCK):
            f.write(block)
        os.fsync(f.fileno())
    written = time.monotonic()
    cold([path])
    cached = resident([path])
    begin_read = time.monotonic()
    with open(path, "rb", buffering=0) as f:
        while f.read(BLOCK):
            pass
    read = time.monotonic()
    os.unlink(path)
    return {"write": length / (written - begin), "read": length / (read - begin_read), "read_from_cache": cached}


def facts(build, folder, disk_len=DISK_LEN):
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "cpu": field("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "memory": field("/proc/meminfo", "MemTotal"),
        "load": os.getloadavg()[0],
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "file_system": first_line("stat", "-f", "-c", "%T", folder),
        "disk": disk_speed(folder, disk_len),
        "worker": first_line(os.path.join(build, "colconv-worker"), "--version"),
        "onnxruntime": first_line(os.path.join(build, "colconv-parity"), "--runtime-version"),
    }


def lines(f):
    disk = f["disk"]
    yield f"{f['cpu']}, {f['cores']} cores, {f['memory']}, load {f['load']:.2f} at the start"
    yield (f"{f['kernel']}; {f['file_system']}: writes {disk['write'] / 1e6:.0f} MB/s, reads {disk['read'] / 1e6:.0f} MB/s"
           + (" (in part from memory)" if disk["read_from_cache"] else ""))
    yield f"{f['worker']}, ONNX Runtime {f['onnxruntime']}"
