"""Signs in to IAM Identity Center with boto3 by device code, and writes the token as the AWS CLI 2 caches it.

usage: sso_cache.py ENDPOINT START-URL REGION NAME FOLDER
"""

import datetime
import hashlib
import json
import pathlib
import sys

import boto3

endpoint, url, region, name, folder = sys.argv[1:]
oidc = boto3.client(
    "sso-oidc", region_name=region, endpoint_url=endpoint, aws_access_key_id="x", aws_secret_access_key="x")
client = oidc.register_client(clientName="botocore-client-corp", clientType="public", scopes=["sso:account:access"])
device = oidc.start_device_authorization(
    clientId=client["clientId"], clientSecret=client["clientSecret"], startUrl=url)
token = oidc.create_token(
    clientId=client["clientId"], clientSecret=client["clientSecret"], deviceCode=device["deviceCode"],
    grantType="urn:ietf:params:oauth:grant-type:device_code")


def text(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


now = datetime.datetime.now(datetime.timezone.utc).timestamp()
folder = pathlib.Path(folder)
folder.mkdir(mode=0o700, parents=True, exist_ok=True)
file = folder / (hashlib.sha1(name.encode()).hexdigest() + ".json")
file.write_text(json.dumps({
    "startUrl": url, "region": region, "accessToken": token["accessToken"], "expiresAt": text(now + token["expiresIn"]),
    "clientId": client["clientId"], "clientSecret": client["clientSecret"],
    "registrationExpiresAt": text(client["clientSecretExpiresAt"]), "refreshToken": token["refreshToken"],
}))
file.chmod(0o600)
(folder / "botocore-client-id-us-east-1.json").write_text(json.dumps({
    "clientId": client["clientId"], "clientSecret": client["clientSecret"],
    "expiresAt": text(client["clientSecretExpiresAt"])}))
