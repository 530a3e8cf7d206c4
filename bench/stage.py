"""Where the figures are taken: a home, a bus with a keyring, an AWS and vaults of our own, all of it gone afterwards."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import urllib.request

import measure

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / ".build" / "programs"
ACCOUNT = "123456789012"
USER = f"arn:aws:iam::{ACCOUNT}:user/alice"
KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
# What a person has in IAM Identity Center, and the application's role behind it.
SSO_ROLE = f"arn:aws:iam::{ACCOUNT}:role/aws-reserved/sso.amazonaws.com/AWSReservedSSO_Developer_0123456789abcdef"
SSO_APP = f"arn:aws:iam::{ACCOUNT}:role/bench-sso"
ROLES = [f"arn:aws:iam::{ACCOUNT}:role/bench-{number:02}" for number in range(50)]


class Stage:
    """Begun and ended by `with`; what it started is stopped however the run ends."""

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="vault-bench-"))
        self.errors = str(self.folder / "errors")
        self.started = []
        self.vaults = []
        self.environment = {
            "PATH": f"{PROGRAMS}:{ROOT / '.tools/bin'}:/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": self.make("home"),
            "XDG_RUNTIME_DIR": self.make("run"), "XDG_DATA_HOME": self.make("data"), "XDG_CONFIG_HOME": self.make("config"),
            "XDG_CACHE_HOME": self.make("cache"),
        }
        try:
            self.start_keyring()
            self.start_sts()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for vault in self.vaults:
            vault.stop()
        for process in reversed(self.started):
            process.terminate()
            process.wait()
            process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def make(self, name):
        folder = self.folder / name
        folder.mkdir(mode=0o700, parents=True)
        return str(folder)

    def trust(self, folder):
        """Lets the vault in this folder send its calls to the simulator."""
        (pathlib.Path(folder) / "config").write_text(f"[default]\ntrusted_endpoints = {self.sts}\n")
        return folder

    def start(self, words):
        """Starts a program and returns its first line."""
        with open(self.errors, "ab") as errors:
            process = subprocess.Popen(
                words, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors, text=True)
        self.started.append(process)
        line = process.stdout.readline().strip()
        if not line:
            raise measure.Failed(f"{words[0]} does not start: {self.complaint()}")
        return line

    def complaint(self):
        """The last line that anything here wrote on standard error."""
        lines = pathlib.Path(self.errors).read_text(errors="replace").strip().splitlines() if os.path.exists(self.errors) else []
        return lines[-1] if lines else "nothing on standard error"

    def start_keyring(self):
        """A bus of its own and an unlocked gnome-keyring, which ends with it."""
        self.environment["DBUS_SESSION_BUS_ADDRESS"] = self.start(
            ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1"])
        with open(self.errors, "ab") as errors:
            subprocess.run(
                ["gnome-keyring-daemon", "--components=secrets", "--unlock", "--daemonize"], input=b"bench", env=self.environment,
                stdout=subprocess.DEVNULL, stderr=errors, check=True)

    def start_sts(self):
        """The strict simulator of STS; it recomputes every signature."""
        world = {
            "users": [{"arn": USER, "accessKeys": [{"id": KEY, "secret": SECRET}], "mayAssume": ["*"]}],
            "roles": [{"arn": role, "trusts": [USER], "maxSessionDuration": 43200} for role in ROLES]
            + [{"arn": SSO_APP, "trusts": [SSO_ROLE], "maxSessionDuration": 43200}],
        }
        file = self.folder / "world.json"
        file.write_text(json.dumps(world))
        self.sts = self.start([str(PROGRAMS / "sts-simulator"), "--world", str(file), "--port", "0"]).split()[-1]
        for service in ("STS", "SSO", "SSO_OIDC"):
            self.environment[f"AWS_ENDPOINT_URL_{service}"] = self.sts

    def control(self, name, body=None):
        """Asks or tells the simulator something, under /_sim/."""
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(f"{self.sts}/_sim/{name}", data=data)) as answer:
            return json.load(answer)

    def calls(self):
        return [call for call in self.control("requests")["requests"] if call["action"] == "AssumeRole"]

    def every_call(self):
        return self.control("requests")["requests"]

    def write_sign_in(self, accounts):
        """An Identity Center with so many accounts of four permission sets, and the files of who signs in to it."""
        self.control("identity", {"identityCenter": {
            "startURL": "https://corp.awsapps.com/start", "region": "us-east-1", "user": "alice@example.com", "tokenSeconds": 3600,
            "codeSeconds": 600, "interval": 1, "approves": True, "roleSeconds": 3600, "mostPerSecond": 400,
            "accounts": [
                {"id": ACCOUNT if number == 0 else str(100_000_000_000 + number), "name": f"Account {number}",
                 "roles": ["Developer", "ReadOnly", "Billing", "Admin"]} for number in range(accounts)]}})
        folder = pathlib.Path(self.make("aws-sso"))
        (folder / "config").write_text("\n".join([
            "[sso-session corp]", "sso_start_url = https://corp.awsapps.com/start", "sso_region = us-east-1",
            "sso_registration_scopes = sso:account:access", "[profile developer]", "sso_session = corp", f"sso_account_id = {ACCOUNT}",
            "sso_role_name = Developer", "region = eu-west-1", f"[profile {profile(1)}]", f"role_arn = {SSO_APP}",
            "source_profile = developer", ""]))
        (folder / "credentials").write_text("")
        return folder

    def write_config(self, name, profiles):
        """A team's two files with so many role profiles over one source profile; the folder that they are in."""
        folder = pathlib.Path(self.make(name))
        lines = ["[profile source]", "region = us-east-1", ""]
        for number in range(1, profiles + 1):
            lines += [
                f"[profile {profile(number)}]", f"role_arn = {ROLES[number % len(ROLES)]}", "source_profile = source",
                "region = eu-west-1", "duration_seconds = 43200", "",
            ]
        (folder / "config").write_text("\n".join(lines))
        (folder / "credentials").write_text(f"[source]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET}\n")
        return folder

    def vault(self, name, files):
        vault = Vault(self, name, files)
        self.vaults.append(vault)
        return vault


def profile(number):
    return f"app-{number:05}"


class Vault:
    """One vault with an agent of its own."""

    def __init__(self, stage, name, files):
        self.program = str(PROGRAMS / "vault")
        self.errors = stage.errors
        self.environment = {
            **stage.environment, "VAULT_HOME": stage.trust(stage.make(f"{name}-home")), "AWS_CONFIG_FILE": str(files / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(files / "credentials"),
        }

    def do(self, *words):
        return measure.must([self.program, *words], self.environment, self.errors)

    def words(self, number, *options):
        """The command line of `vault exec` for a profile."""
        return [self.program, "exec", *options, profile(number), "--", "/bin/true"]

    def fill(self, profiles):
        """A session for each profile."""
        measure.each((self.words(number) for number in range(1, profiles + 1)), self.environment, 8, self.errors)

    @property
    def agent(self):
        """The agent's process id."""
        text = subprocess.run(
            [self.program, "agent", "status", "--format", "json"], env=self.environment, capture_output=True, text=True, check=True).stdout
        return int(re.search(r'"pid":(\d+)', text)[1])

    def stop(self):
        subprocess.run([self.program, "agent", "stop"], env=self.environment, stdin=subprocess.DEVNULL, capture_output=True, check=False)
