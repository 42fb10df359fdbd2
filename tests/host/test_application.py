"""Applications: what is whole and what is not, whose it is, by an implementation of RSA that is not ours."""

from __future__ import annotations

import hashlib
import json
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from mesofirmware import build as firmware_build
from mesofirmware import signature as device_side
from mesofirmware.start import manifest as on_device
from mesoinjector import application, cli, signing
from mesoinjector.application import Application
from mesoinjector.errors import ApplicationError

FILES = {"mesofirmware/app.mpy": b"M\x06\x00\x1f" + bytes(999), "mesoprotocol/crc_viper.mpy": b"M\x06\x13\x1f"}
PICO, PICO_2, RISC_V, OTHER_SUB = 0x1306, 0x1F06, 0x2F06, 0x1206
"""`sys.implementation._mpy`: version 6.3 for ARMV6M, ARMV7EMSP and RV32IMC, and version 6.2."""


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("keys") / "signer"
    signing.new_key(path)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "application"
    for name, data in FILES.items():
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_bytes(data)
    firmware_build.seal(made, ("pico", "pico2"), "1.20.3")
    return made


def resealed(folder: Path, text: str) -> None:
    (folder / "manifest").write_text(text + hashlib.sha256(text.encode()).hexdigest() + "\n")


def test_it_is_read_as_it_was_built(folder: Path) -> None:
    read = Application.load(folder)
    assert (read.version, read.boards, dict(read.files)) == ("1.20.3", ("pico", "pico2"), FILES)
    assert read.manifest == (folder / "manifest").read_bytes() and read.signature is None
    assert read.size == len(read.manifest) + 384 + sum(map(len, FILES.values()))
    assert [path for path, _ in read.files] == [path for _, _, path in on_device.parse(read.manifest)[2]]


@pytest.mark.requirement("SR-13")
def test_every_byte_counts(folder: Path) -> None:
    for name in ("manifest", *FILES):
        data = (folder / name).read_bytes()
        for at in range(0, len(data), 1 if name == "manifest" else 97):
            (folder / name).write_bytes(data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :])
            with pytest.raises(ApplicationError, match=r"Next: "):
                Application.load(folder)
        (folder / name).write_bytes(data)
    Application.load(folder)


def lines(change: Callable[[list[str]], list[str]]) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        before = (folder / "manifest").read_text().splitlines()[:-1]
        resealed(folder, "\n".join(change(before)) + "\n")

    return spoil


DIGEST = hashlib.sha256(b"x").hexdigest()


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "more.mpy").write_bytes(b""), "more.mpy: not in the manifest"),
        (lambda folder: (folder / "mesofirmware/app.mpy").unlink(), "app.mpy: No such file"),
        (shutil.rmtree, "manifest: No such file"),
        (lambda folder: (folder / "signature").write_bytes(bytes(383)), "383 bytes, must be 384"),
        (lambda folder: (folder / "manifest").write_bytes(b""), "last line is not the SHA-256"),
        (lambda folder: (folder / "manifest").write_bytes(b"a" * 16_385), "16385 bytes, at most 16384"),
        (lines(lambda rows: ["mesoinjector 1.2 pico", *rows[1:]]), "line 1 must be"),
        (lines(lambda rows: ["mesoinjector 1.2.1024 pico", *rows[1:]]), "numbers up to 1023"),
        (lines(lambda rows: ["another 1.2.3 pico", *rows[1:]]), "line 1 must be"),
        (lines(lambda rows: rows[:1]), "must list 1 to 253 files"),
        (lines(lambda rows: [rows[0], *rows[:0:-1]]), "sorted"),
        (lines(lambda rows: [*rows, rows[-1]]), "each once"),
        (lines(lambda rows: [*rows, f"{DIGEST} 1 signature"]), "itself not"),
        (lines(lambda rows: [rows[0], f"{DIGEST} 1 ../x"]), "line 2 must be"),
        (lines(lambda rows: [rows[0], f"{DIGEST} 1 /etc/x"]), "line 2 must be"),
        (lines(lambda rows: [rows[0], f"{DIGEST} 99999999 x"]), "at most 16777215 bytes"),
        (lines(lambda rows: [rows[0], f"{DIGEST[1:]} 1 x"]), "line 2 must be"),
        (lines(lambda rows: [rows[0], f"{DIGEST} 1 é"]), "not ASCII"),
        (lines(lambda rows: [rows[0], *(f"{DIGEST} 1 {n:03}" for n in range(254))]), "at most 16384|1 to 253"),
    ],
)
def test_what_is_no_application_is_named(spoil: Callable[[Path], None], said: str, folder: Path) -> None:
    spoil(folder)
    with pytest.raises(ApplicationError, match=rf"({said}).*Next: "):
        Application.load(folder)


# --- Whose it is ---------------------------------------------------------------------------------------------


@pytest.mark.requirement("SR-33")
def test_a_signature_is_what_openssl_says_it_is(folder: Path, key: Path) -> None:
    signed = application.sign(folder, key.read_bytes())
    assert signed.signature is not None and signed.is_signed_by(signing.modulus(key.read_bytes()))
    public = key.with_name("signer.pub")
    modulus = signing.modulus(public.read_bytes())
    assert modulus == signing.modulus(key.read_bytes()) and device_side.is_modulus(modulus)
    assert device_side.is_signed(signed.manifest, signed.signature, modulus)
    command = ["openssl", "dgst", "-sha256", "-verify", str(public), "-signature", str(folder / "signature")]
    for content, code in ((signed.manifest, 0), (signed.manifest + b" ", 1)):
        done = subprocess.run(command, input=content, capture_output=True, check=False)
        assert (done.returncode, done.stdout.split()[0]) == (code, b"Verification" if code else b"Verified")


@pytest.mark.requirement("SR-33")
def test_what_openssl_signs_is_genuine(folder: Path, key: Path) -> None:
    command = ["openssl", "dgst", "-sha256", "-sign", str(key), "-out", str(folder / "signature")]
    subprocess.run([*command, str(folder / "manifest")], check=True)
    made = (folder / "signature").read_bytes()
    assert Application.load(folder).is_signed_by(signing.modulus(key.read_bytes()))
    assert application.sign(folder, key.read_bytes()).signature == made, "PKCS#1 v1.5 has no salt"


@pytest.mark.requirement("SR-33")
def test_another_key_and_another_manifest_are_not(folder: Path, key: Path, tmp_path: Path) -> None:
    signing.new_key(tmp_path / "other")
    other = signing.modulus((tmp_path / "other").read_bytes())
    assert not Application.load(folder).is_signed_by(other)
    signed = application.sign(folder, key.read_bytes())
    assert signed.signature is not None and not signed.is_signed_by(other)
    assert not device_side.is_signed(signed.manifest, signed.signature, other)
    (folder / "mesofirmware/app.mpy").write_bytes(b"altered")
    firmware_build.seal(folder)
    assert not Application.load(folder).is_signed_by(signing.modulus(key.read_bytes()))


def test_a_key_is_made_once_and_is_its_owners(key: Path) -> None:
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    for path in (key, key.with_name("signer.pub")):
        with pytest.raises(ApplicationError, match=r"nothing is replaced.*Next: "):
            signing.new_key(path)
    (key.with_name("third.pub")).write_bytes(b"")
    with pytest.raises(ApplicationError, match=r"third.pub: is there already"):
        signing.new_key(key.with_name("third"))
    assert key.read_bytes() == before and not key.with_name("third").exists()
    (key.with_name("fourth.pub")).symlink_to("nowhere")
    with pytest.raises(ApplicationError, match=r"fourth.pub: File exists"):
        signing.new_key(key.with_name("fourth"))
    assert not key.with_name("fourth").exists(), "a private half alone is a key that nobody can use"


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (
            ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
            "RSA-2048 with e = 65537, must be RSA-3072",
        ),
        (["genpkey", "-algorithm", "ED25519"], "not RSA"),
    ],
)
def test_other_keys_are_refused(made: list[str], said: str, folder: Path) -> None:
    pem = subprocess.run(["openssl", *made], capture_output=True, check=True).stdout
    public = subprocess.run(["openssl", "pkey", "-pubout"], input=pem, capture_output=True, check=True).stdout
    with pytest.raises(ApplicationError, match=rf"{said}.*Next: "):
        application.sign(folder, pem)
    with pytest.raises(ApplicationError, match=rf"{said}.*Next: "):
        signing.modulus(public)


@pytest.mark.parametrize("pem", [b"", b"rubbish", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_what_is_no_key_is_named(pem: bytes, folder: Path) -> None:
    with pytest.raises(ApplicationError, match=r"does not read as .*Next: "):
        application.sign(folder, pem)
    with pytest.raises(ApplicationError, match=r"does not read as .*Next: "):
        signing.modulus(pem)


# --- Where it runs -------------------------------------------------------------------------------------------


def test_a_board_runs_what_its_micropython_imports(folder: Path) -> None:
    read = Application.load(folder)
    assert read.mpy == (0x0006, 0x1306)
    read.check_runs_on("pico", PICO)
    read.check_runs_on("pico2", PICO_2)
    for mpy in (RISC_V, OTHER_SUB, 0x1305, 0x0306):
        with pytest.raises(ApplicationError, match=r"the board imports version .*Next: "):
            read.check_runs_on("pico2", mpy)
    with pytest.raises(ApplicationError, match=r"built for pico, pico2, not for tiny.*Next: "):
        read.check_runs_on("tiny", PICO)


@pytest.mark.parametrize("data", [b"", b"M", b"M\x06\x00", b"print()"])
def test_what_is_no_mpy_file_runs_on_no_board(folder: Path, data: bytes) -> None:
    (folder / "mesofirmware/app.mpy").write_bytes(data)
    firmware_build.seal(folder)
    read = Application.load(folder)
    assert read.mpy == (0x1306,)
    with pytest.raises(ApplicationError, match=r"mesofirmware/app\.mpy does not begin as a \.mpy file.*Next: "):
        read.check_runs_on("pico", PICO)


def said(*words: str) -> dict[str, object]:
    """What a command answers. Raises what the command line would print."""
    done = CliRunner().invoke(cli.app, ["application", *words, "--json"], catch_exceptions=False)
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


def test_it_is_built_signed_and_verified_from_the_command_line(tmp_path: Path, key: Path) -> None:
    made, public = str(tmp_path / "made"), str(key.with_name("signer.pub"))
    built = said("build", made, "--board", "pico")
    assert (built["boards"], built["signed"], built["mpy"]) == ("pico", False, "6,4870")
    with pytest.raises(ApplicationError, match=r"not signed\. Next: "):
        said("verify", made, "--key", public)
    assert said("sign", made, "--key", str(key))["signed"] is True
    assert said("verify", made, "--key", public)["signed_with"] == public
    another = str(said("key", str(tmp_path / "another"))["public"])
    for words, why in (
        (("build", made), "no empty folder"),
        (("build", str(tmp_path / "new"), "--board", "tiny"), "tiny"),
        (("sign", made, "--key", public + "x"), "No such file"),
        (("verify", made, "--key", another), "not signed with"),
    ):
        with pytest.raises(ApplicationError, match=rf"{why}.*Next: "):
            said(*words)
    Application.load(made).check_runs_on("pico", PICO)


def test_bad_input_is_said_with_its_exit_code(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mesoinjector", "application", "verify", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == cli.BAD_INPUT and "manifest: No such file" in done.stderr and done.stdout == ""
