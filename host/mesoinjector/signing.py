"""RSA-3072 signatures, e = 65537, PKCS#1 v1.5 with SHA-256 (RFC 8017, 8.2), and the keys that make them, in PEM.

A device keeps the signer's modulus and verifies by `pow` alone. Wants the `flash` extra. All functions raise
`ApplicationError`.
"""

from __future__ import annotations

import os
from pathlib import Path

from mesoinjector.errors import ApplicationError

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import padding, rsa
except ImportError:
    raise ApplicationError(
        "signing needs a package that is not here. Next: pip install 'mesoinjector[flash]'"
    ) from None

BITS, BYTES, EXPONENT = 3072, 384, 65537
_MAKE = "make one with `mesoinjector application key FILE`"


def new_key(path: Path | str) -> Path:
    """Generate a key: the private half in `path`, its owner's alone, the public half in `path`.pub, which is returned.

    Refuses to replace a file. Both are made, or none.
    """
    path = Path(path)
    public = path.with_name(path.name + ".pub")
    if public.exists():
        raise _not_new(public, "is there already")
    key = rsa.generate_private_key(EXPONENT, BITS)
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _create(path, private, 0o600)
    try:
        _create(public, key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo), 0o644)
    except ApplicationError:
        path.unlink()
        raise
    return public


def signature(message: bytes, key_pem: bytes) -> bytes:
    """The signature of a private key in PEM, unencrypted, over a message: 384 bytes, big endian."""
    return _private(key_pem).sign(message, padding.PKCS1v15(), hashes.SHA256())


def is_genuine(message: bytes, signed: bytes, modulus: bytes) -> bool:
    """Whether `signed` is the signature over a message of the key with this modulus."""
    key = rsa.RSAPublicNumbers(EXPONENT, int.from_bytes(modulus, "big")).public_key()
    try:
        key.verify(signed, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def modulus(pem: bytes) -> bytes:
    """The modulus of a key in PEM, private or public: 384 bytes, big endian, which a device keeps of its signer."""
    if b"PRIVATE KEY" in pem:
        key = _private(pem).public_key()
    else:
        try:
            read = serialization.load_pem_public_key(pem)
        except (ValueError, UnsupportedAlgorithm) as error:
            raise ApplicationError(f"the key does not read as PEM ({error}). Next: {_MAKE}.") from None
        if not isinstance(read, rsa.RSAPublicKey):
            raise ApplicationError(f"the key is not RSA. Next: {_MAKE}.")
        key = read
        _check(key)
    return key.public_numbers().n.to_bytes(BYTES, "big")


def _private(pem: bytes) -> rsa.RSAPrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ApplicationError(f"the signing key does not read as unencrypted PEM ({error}). Next: {_MAKE}.") from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ApplicationError(f"the signing key is not RSA. Next: {_MAKE}.")
    _check(key.public_key())
    return key


def _check(key: rsa.RSAPublicKey) -> None:
    if key.key_size != BITS or key.public_numbers().e != EXPONENT:
        raise ApplicationError(
            f"the key is RSA-{key.key_size} with e = {key.public_numbers().e}, must be RSA-{BITS} with e = {EXPONENT}. "
            f"Next: {_MAKE}."
        )


def _create(path: Path, data: bytes, mode: int) -> None:
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise _not_new(path, error.strerror or str(error)) from None
    try:
        with open(number, "wb") as file:
            file.write(data)
    except OSError as error:
        path.unlink()
        raise ApplicationError(
            f"{path}: {error.strerror or error}. Nothing was made. Next: make room, or name another folder."
        ) from None


def _not_new(path: Path, why: str) -> ApplicationError:
    return ApplicationError(f"{path}: {why}; nothing is replaced. Next: name a file that is not there yet.")
