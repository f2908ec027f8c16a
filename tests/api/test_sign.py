"""colconvctl sign: model.sig in the form of OpenSSF model signing, and what inspect --public-key finds in it.

The signature is checked by openssl here. With the Python package model-signing (pip install model-signing==1.1.1
pyopenssl), name its program in MODEL_SIGNING and it checks the same folders too.
"""
import base64
import hashlib
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from ctl import CTL, environment

TOP = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = TOP / "tests/golden/colqwen2-tiny"
MODEL_SIGNING = os.environ.get("MODEL_SIGNING")
E_USAGE, E_MISMATCH = 2, 11


def ctl(*args, **env):
    return subprocess.run([CTL, *map(str, args)], env=environment(**env), text=True, capture_output=True, timeout=60,
                          stdin=subprocess.DEVNULL)


def openssl(*args):
    subprocess.run(["openssl", *map(str, args)], check=True, capture_output=True)


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """NAME.key and NAME.pem: two of P-256, one of another curve, one with a passphrase."""
    folder = tmp_path_factory.mktemp("keys")
    for name, curve in (("own", "prime256v1"), ("other", "prime256v1"), ("curve", "secp384r1")):
        openssl("ecparam", "-name", curve, "-genkey", "-noout", "-out", folder / f"{name}.key")
        openssl("ec", "-in", folder / f"{name}.key", "-pubout", "-out", folder / f"{name}.pem")
    openssl("pkcs8", "-topk8", "-in", folder / "own.key", "-out", folder / "locked.key", "-passout", "pass:secret")
    (folder / "garbage.key").write_text("-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----\n")
    for path in folder.glob("*.key"):
        path.chmod(0o600)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("sign") / "artifact"
    done = ctl("convert", GOLDEN, "-o", out, "--variants", "text", "--no-parity")
    assert done.returncode == 0, done.stderr
    return out


@pytest.fixture
def artifact(made, tmp_path):
    return pathlib.Path(shutil.copytree(made, tmp_path / "artifact"))


@pytest.fixture
def signed(artifact, keys):
    done = ctl("sign", artifact, "--sign-key", keys / "own.key")
    assert (done.returncode, done.stdout) == (0, f"{artifact}/model.sig\n"), done.stderr
    return artifact


def problems(artifact, key):
    done = ctl("inspect", artifact, "--verify", "--public-key", key, "--json")
    found = json.loads(done.stdout)["problems"]
    assert done.returncode == (E_MISMATCH if found else 0), done.stderr
    return found


def bundle_of(artifact):
    bundle = json.loads((artifact / "model.sig").read_text())
    return bundle, base64.b64decode(bundle["dsseEnvelope"]["payload"])


def payload_replace(artifact, old, new):
    bundle, payload = bundle_of(artifact)
    assert old in payload
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(payload.replace(old, new)).decode()
    (artifact / "model.sig").write_text(json.dumps(bundle))


def model_signing_accepts(artifact, key):
    done = subprocess.run([MODEL_SIGNING, "verify", "key", artifact, "--public_key", key, "--signature",
                           artifact / "model.sig"], capture_output=True, text=True)
    return done.returncode == 0


def test_openssl_verifies_the_signature(signed, keys, tmp_path):
    bundle, payload = bundle_of(signed)

    kind = b"application/vnd.in-toto+json"
    (tmp_path / "bytes").write_bytes(b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload))
    (tmp_path / "sig").write_bytes(base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"]))
    openssl("dgst", "-sha256", "-verify", keys / "own.pem", "-signature", tmp_path / "sig", tmp_path / "bytes")
    hint = bundle["verificationMaterial"]["publicKey"]["hint"]
    assert hint == hashlib.sha256((keys / "own.pem").read_bytes()).hexdigest()


def test_every_file_is_signed(signed):
    _, payload = bundle_of(signed)
    statement = json.loads(payload)

    rows = statement["predicate"]["resources"]
    files = {str(p.relative_to(signed)): hashlib.sha256(p.read_bytes()) for p in signed.rglob("*") if p.is_file()}
    del files["model.sig"]
    assert {r["name"]: r["digest"] for r in rows} == {name: h.hexdigest() for name, h in files.items()}
    assert "manifest.json" in files
    root = hashlib.sha256(b"".join(bytes.fromhex(r["digest"]) for r in rows)).hexdigest()
    assert statement["subject"] == [{"name": "artifact", "digest": {"sha256": root}}]


def test_the_artifact_stays_whole(made, signed, keys):
    assert problems(signed, keys / "own.pem") == []
    assert json.loads(ctl("inspect", signed, "--verify", "--json").stdout)["extra"] == []
    for path in made.iterdir():
        assert path.read_bytes() == (signed / path.name).read_bytes()


def test_it_can_be_signed_again(signed, keys):
    before = (signed / "model.sig").read_bytes()

    assert ctl("sign", signed, COLCONV_SIGN_KEY=str(keys / "other.key")).returncode == 0
    assert (signed / "model.sig").read_bytes() != before
    assert problems(signed, keys / "other.pem") == []
    assert not list(signed.glob("*.tmp*"))


def test_another_key(signed, keys):
    assert problems(signed, keys / "other.pem") == ["model.sig: it was made with another key"]


def changed(signed):
    (signed / "config.json").write_bytes((signed / "config.json").read_bytes() + b" ")


def changed_with_manifest(signed):
    """As somebody would who knows of the manifest."""
    before = hashlib.sha256((signed / "config.json").read_bytes()).hexdigest()
    data = (signed / "config.json").read_bytes().replace(b"{", b"[", 1)
    (signed / "config.json").write_bytes(data)
    manifest = (signed / "manifest.json").read_text()
    assert before in manifest
    (signed / "manifest.json").write_text(manifest.replace(before, hashlib.sha256(data).hexdigest()))


def list_changed(signed):
    name = hashlib.sha256((signed / "config.json").read_bytes()).hexdigest().encode()
    changed_with_manifest(signed)
    payload_replace(signed, name, hashlib.sha256((signed / "config.json").read_bytes()).hexdigest().encode())


def no_hint(signed):
    list_changed(signed)
    bundle, _ = bundle_of(signed)
    del bundle["verificationMaterial"]["publicKey"]["hint"]
    (signed / "model.sig").write_text(json.dumps(bundle))


@pytest.mark.parametrize("change, words", [
    (changed, "'config.json' has "),
    (changed_with_manifest, "model.sig: 'config.json' has changed since it was signed"),
    (list_changed, "model.sig: the signature is wrong"),
    (no_hint, "model.sig: the signature is wrong"),
    (lambda s: (s / "more.txt").write_text("x"), "model.sig: 'more.txt' was not signed"),
    (lambda s: (s / "parity.json").exists() or (s / "config.json").unlink(), "'config.json'"),
    (lambda s: (s / "model.sig").unlink(), "there is no model.sig"),
    (lambda s: (s / "model.sig").write_text("{"), "model.sig"),
    (lambda s: (s / "model.sig").write_text("[1]"), "model.sig: it is not a signature"),
    (lambda s: (s / "model.sig").write_text('{"mediaType": 1, "dsseEnvelope": []}'), "model.sig: it is not a signature"),
    (lambda s: payload_replace(s, b'"resources":[', b'"resources":[{},'), "model.sig: the signature is wrong"),
])
def test_a_changed_artifact(signed, keys, change, words):
    change(signed)

    found = problems(signed, keys / "own.pem")
    assert any(words in p for p in found), found
    if MODEL_SIGNING:
        assert not model_signing_accepts(signed, keys / "own.pem")


def test_a_git_folder_is_not_signed(signed, keys):
    (signed / ".git").mkdir()
    (signed / ".git/config").write_text("x")
    (signed / ".gitattributes").write_text("x")

    assert problems(signed, keys / "own.pem") == []


@pytest.mark.parametrize("key, words", [
    ("missing.key", "missing.key': No such file or directory"),
    ("garbage.key", "does not hold a private key of EC P-256"),
    ("own.pem", "does not hold a private key of EC P-256"),
    ("curve.key", "does not hold a private key of EC P-256"),
    ("locked.key", "is encrypted with a passphrase"),
    (".", "is not a regular file"),
])
def test_a_key_that_cannot_sign(artifact, keys, key, words):
    done = ctl("sign", artifact, "--sign-key", keys / key)

    assert done.returncode == E_USAGE and words in done.stderr
    assert not (artifact / "model.sig").exists()


def test_a_key_that_everyone_may_read(artifact, keys, tmp_path):
    shutil.copy(keys / "own.key", tmp_path / "open.key")
    (tmp_path / "open.key").chmod(0o644)
    done = ctl("sign", artifact, "--sign-key", tmp_path / "open.key")

    assert done.returncode == E_USAGE and "everyone may read" in done.stderr


def test_a_wrong_public_key(signed, keys):
    for key, words in (("own.key", "does not hold a public key"), ("none.pem", "No such file")):
        done = ctl("inspect", signed, "--verify", "--public-key", keys / key)
        assert done.returncode == E_USAGE and words in done.stderr


def test_no_key(artifact):
    done = ctl("sign", artifact)

    assert done.returncode == E_USAGE and "--sign-key FILE" in done.stderr


def test_a_damaged_artifact_is_not_signed(artifact, keys):
    changed(artifact)
    done = ctl("sign", artifact, "--sign-key", keys / "own.key")

    assert done.returncode == E_MISMATCH and "'config.json' has changed" in done.stderr
    assert not (artifact / "model.sig").exists()


def test_a_folder_that_is_not_an_artifact(keys, tmp_path):
    done = ctl("sign", tmp_path, "--sign-key", keys / "own.key")

    assert done.returncode == E_USAGE and "it is not an artifact" in done.stderr


@pytest.mark.skipif(not MODEL_SIGNING, reason="set MODEL_SIGNING to the program of the package model-signing")
def test_model_signing(artifact, keys):
    sig = artifact / "model.sig"
    assert ctl("sign", artifact, "--sign-key", keys / "own.key").returncode == 0
    assert model_signing_accepts(artifact, keys / "own.pem")
    assert not model_signing_accepts(artifact, keys / "other.pem")

    sig.unlink()
    subprocess.run([MODEL_SIGNING, "sign", "key", artifact, "--private_key", keys / "own.key", "--signature", sig],
                   check=True, capture_output=True)
    assert problems(artifact, keys / "own.pem") == []
