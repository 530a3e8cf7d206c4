"""Encrypts a workspace as Leapp does: CryptoJS.AES.encrypt(text, machineIdSync()), by OpenSSL's own format.

usage: leapp_lock.py FILE [ID] <workspace.json
"""

import base64
import hashlib
import os
import pathlib
import socket
import sys

from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def machine_id():
    """node-machine-id: the first line of both files, else the host's name; lower case, hashed."""
    for path in ("/var/lib/dbus/machine-id", "/etc/machine-id"):
        if os.path.exists(path):
            return pathlib.Path(path).read_text().split("\n")[0].strip()
    return socket.gethostname()


identifier = sys.argv[2] if len(sys.argv) > 2 else machine_id()
passphrase = hashlib.sha256(identifier.lower().encode()).hexdigest().encode()
salt = os.urandom(8)
derived = block = b""
while len(derived) < 48:
    block = hashlib.md5(block + passphrase + salt).digest()
    derived += block
padder = padding.PKCS7(128).padder()
plain = padder.update(sys.stdin.buffer.read().strip()) + padder.finalize()
encryptor = Cipher(algorithms.AES(derived[:32]), modes.CBC(derived[32:48])).encryptor()
file = pathlib.Path(sys.argv[1])
file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
file.write_bytes(base64.b64encode(b"Salted__" + salt + encryptor.update(plain) + encryptor.finalize()))
