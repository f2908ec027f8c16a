"""The programs, with workers that start at once: tests/warm/server.c says how."""
import atexit
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile

BUILD = pathlib.Path(os.environ.get("COLCONV_BUILD", pathlib.Path(__file__).parents[1]))
BIN = BUILD / "tests/warm"


def start():
    """Starts the server of this process; it ends with it. Programs find it by its socket, in their environment."""
    folder = tempfile.mkdtemp(prefix="warm.")
    atexit.register(shutil.rmtree, folder, True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(folder + "/socket")
        listener.listen()
        server = subprocess.Popen([BIN / "server"], stdin=listener)
    atexit.register(server.wait)
    atexit.register(server.kill)  # which comes first
    os.environ["COLCONV_WARM_SOCKET"] = folder + "/socket"


start()
