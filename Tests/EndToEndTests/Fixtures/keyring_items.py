"""Writes items as the Go library "keyring" (99designs) does to its file store: each is JSON in a JWE of jose2go's form.

usage: keyring_items.py FOLDER PASSPHRASE <items.json     [{"name": …, "data": {…}, "key": …, "header": {…}, "claimed": {…}}, …]
"""

import base64
import json
import os
import pathlib
import sys
import warnings

from joserfc import jwe
from joserfc.jwk import OctKey

warnings.simplefilter("ignore")
# joserfc takes no empty key. HMAC fills a key with zeros (RFC 2104), and so one zero gives what none gives.
folder, passphrase = pathlib.Path(sys.argv[1]), sys.argv[2] or "\0"
folder.mkdir(mode=0o700, parents=True, exist_ok=True)
algorithms = ["PBES2-HS256+A128KW", "A256GCM", "PBES2-HS512+A256KW", "A128GCM"]
registry = jwe.JWERegistry(algorithms=algorithms, strict_check_header=False)
for item in json.load(sys.stdin):
    wrapped = {
        "Key": item.get("key", item["name"]),
        "Data": base64.b64encode(json.dumps(item["data"], separators=(",", ":")).encode()).decode(),
        "Label": f"aws-vault ({item['name']})",
        "Description": "",
        "KeychainNotTrustApplication": True,
        "KeychainNotSynchronizable": False,
    }
    header = {
        "alg": "PBES2-HS256+A128KW", "created": "2024-05-01 10:00:00.000000 +0000 UTC m=+0.001", "enc": "A256GCM",
        "p2c": 8192, "p2s": base64.urlsafe_b64encode(os.urandom(12)).rstrip(b"=").decode(),
    } | item.get("header", {})
    text = jwe.encrypt_compact(header, json.dumps(wrapped).encode(), OctKey.import_key(passphrase), registry=registry)
    if claimed := item.get("claimed"):
        # A header that its writer never used.
        parts = text.split(".")
        parts[0] = base64.urlsafe_b64encode(json.dumps(header | claimed).encode()).rstrip(b"=").decode()
        text = ".".join(parts)
    name = item["name"].replace("%", "%25").replace("/", "%2F")
    (folder / name).write_text(text)
    (folder / name).chmod(0o600)
