import Foundation
import TestSupport

/// What is known of single lines of the pages.
extension TypedStage {
  /// A line that is not typed, or is no command; with the first line of a block, all of that.
  struct NotRun {
    let page: String
    /// How the line begins.
    let line: String
    let isBlock: Bool
    let reason: String

    func covers(_ step: TypedPage.Step) -> Bool { (isBlock ? step.block : step.command).hasPrefix(line) }
  }

  /// A line that needs something before it, or ends otherwise than with 0.
  struct Special {
    let page: String
    /// How the line begins.
    let line: String
    /// Typed before it, unseen.
    var before: String?
    var status: Int32 = 0
    /// Where the page shows only what is said: the command that says it.
    var command: String?
    /// What is shown is another vault's.
    var isOther = false
    /// Each once.
    var answers: [(question: String, answer: String)] = []
  }

  /// Every line that is not typed. Whatever else stands in a block of a page is.
  static let notRun: [NotRun] =
    lines("README.md", "it builds, tests or installs the programs themselves", ["make ", "sudo "])
    + blocks("docs/agents.md", "settings of a file; AgentPageTests", ["[guard *]"])
    + lines("docs/agent.md", "it needs systemd; ServiceManagerTests", ["systemctl "])
    + blocks("docs/audit-log.md", "a formula or a form", ["hash =", "mac(n)", "vault-checkpoint-1", "<86>1"])
    + blocks("docs/aws-side.md", "settings of a file, with which this page is typed", ["[sso-session"])
    + blocks("docs/aws-side.md", "it changes an account; GenerateTests apply each of them", ["terraform apply"])
    + blocks("docs/aws-side.md", "it reads an account; the tests of both commands", ["vault iam check"])
    + blocks("docs/aws-side.md", "AWS refuses nothing here; WhyTests", ["aws s3 ls"])
    + blocks("docs/benchmarks.md", "a measurement of many minutes", ["make bench"])
    + blocks(
      "docs/ci.md", "a job, which JobTests run as it stands", ["permissions:", "export VAULT_HOME", "vault exec app -- sh"])
    + blocks(
      "docs/coming-from.md", "it needs another program's store; the tests of each program",
      ["vault import --from", "KIND ", "credential_process"])
    + lines(
      "docs/containers.md", "it needs a container's other end; EndpointTests", ["vault exec --token-file app-dev -- sh -c '\n"])
    + lines("docs/containers.md", "a compose file", ["services:"])
    + lines("docs/exec.md", "a form with placeholders", ["vault exec PROFILE"])
    + lines("docs/exec.md", "a setting with its effect beside it; JobTests", ["PS1="])
    + blocks("docs/fresh.md", "settings of a file", ["rotation"])
    + blocks("docs/guarded-profiles.md", "settings of a file, with which this page is typed", ["[guard"])
    + blocks("docs/guarded-profiles.md", "it depends on the time; the tests of the rules", ["vault: app-prod"])
    + blocks("docs/guarded-profiles.md", "two terminals of one program; ApprovalTests", ["vault: this terminal"])
    + blocks("docs/headless.md", "settings of a file", ["[default]"])
    + blocks("docs/identities.md", "settings of a file", ["[profile"])
    + blocks(
      "docs/install.md", "it installs, builds or signs; `make package-test`",
      ["make ", "systemctl ", "vault-aws agent stop", "minisign ", "git checkout"])
    + blocks("docs/lost-laptop.md", "a policy for an organization", ["  {\"Version\""])
    + lines("docs/lost-laptop.md", "it needs a team's server; TeamReportTests", ["vault audit --from"])
    + lines("docs/agents.md", "it changes an account; RevokeInAWSTests", ["vault revoke --automation claude --in-aws"])
    + lines("docs/lost-laptop.md", "it changes an account; RevokeInAWSTests", ["vault revoke app-prod --in-aws --with"])
    + lines("docs/master-key.md", "said behind the question for a passphrase; BackupTests", ["vault: key"])
    + lines("docs/master-key.md", "it needs logind; AutoLockTests", ["vault audit --action Locked"])
    + blocks("docs/reference.md", "settings of a file", ["[default]"])
    + blocks("docs/reference.md", "a value of a field; the tests of exports", ["{\"readOnly\""])
    + blocks("docs/reports.md", "shortened; StatsTests", ["{\"rows\""])
    + lines("docs/shells.md", "another shell; ShellInitTests", ["eval \"$(vault shell-init zsh", "vault shell-init fish"])
    + blocks("docs/shells.md", "a file of direnv's; RecipeTests", ["use_vault()", "use vault"])
    + blocks("docs/shells.md", "a file of mise's; RecipeTests", ["[env]"])
    + blocks("docs/shells.md", "a file of starship's", ["[env_var", "[custom"])
    + blocks("docs/sign-in.md", "settings of a file, with which this page is typed", ["[sso-session"])
    + blocks("docs/simulation.md", "a simulation of minutes; SimulationTests", ["make simulate", "200 laptops"])
    + blocks("docs/team-audit.md", "SQL of the server's owner; TeamTests", ["CREATE ROLE", "DELETE FROM", "SELECT "])
    + lines("docs/team-audit.md", "SQL of the server's owner; TeamTests", ["SELECT format", "FROM generate"])
    + lines("docs/team-audit.md", "it needs systemd", ["systemctl "])

  private static func lines(_ page: String, _ reason: String, _ lines: [String]) -> [NotRun] {
    lines.map { NotRun(page: page, line: $0, isBlock: false, reason: reason) }
  }

  private static func blocks(_ page: String, _ reason: String, _ lines: [String]) -> [NotRun] {
    lines.map { NotRun(page: page, line: $0, isBlock: true, reason: reason) }
  }

  private static let guardRules =
    "printf '[guard *prod*]\\nconfirm = 15m\\nreason = required\\n' >> \"$VAULT_HOME\"/config"
  private static let deploy = "printf '%s\\n' \"$id\" \"$secret\" | vault access-key add deploy"
  private static let noDeploy = "vault access-key remove deploy"
  private static let auditor = "rm -f auditor.key; vault audit key --new > auditor.key"
  private static let noKey = "vault agent stop; rm \"$VAULT_HOME\"/master-*"
  private static func file(_ text: String) -> String { "printf '\(text)' > ~/.aws/config" }

  static let special: [Special] = [
    // At a terminal, it goes on with a question about the key.
    Special(page: "README.md", line: "vault import", isOther: true),
    Special(page: "docs/access-keys.md", line: "printf", before: noDeploy),
    Special(page: "docs/access-keys.md", line: "vault access-key add deploy --totp", before: noDeploy),
    Special(page: "docs/access-keys.md", line: "vault add deploy-dev", before: deploy),
    Special(page: "docs/agent.md", line: "vault agent run", answers: [(question: "listens", answer: "\u{3}")]),
    Special(page: "docs/agent.md", line: "vault agent status", before: "vault unlock"),
    Special(
      page: "docs/agents.md", line: "vault exec --automation claude --policy ",
      before:
        "printf '{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\",\"Resource\":\"*\"}]}' > agent.json"
    ),
    Special(page: "docs/agents.md", line: "vault exec --automation claude app-dev -- vault unlock", status: 77),
    Special(page: "docs/audit-log.md", line: "vault audit verify --key", before: auditor),
    Special(
      page: "docs/audit-log.md", line: "vault audit verify --public-key",
      before: "sleep 1.1; vault audit archive --before 1s; cp \"$VAULT_HOME\"/archive/* part.gz"),
    // Nothing is that old.
    Special(page: "docs/audit-log.md", line: "vault audit archive", status: 66),
    Special(
      page: "docs/audit-log.md", line: "vault audit accept",
      before:
        "vault agent stop; cp \"$VAULT_HOME\"/vault.db* .; vault exec app-dev -- true; vault agent stop; rm \"$VAULT_HOME\"/vault.db*; cp vault.db* \"$VAULT_HOME\""
    ),
    Special(
      page: "docs/audit-log.md", line: "vault audit verify log.jsonl --key",
      before: auditor + "; rm log.jsonl; vault audit export --format jsonl --whole --output log.jsonl"),
    Special(
      page: "docs/audit-log.md", line: "vault audit verify --partial",
      before: "vault audit export --format jsonl --action AuditKeysMade > part.jsonl"),
    Special(
      page: "docs/aws-side.md", line: "vault iam generate app-dev > documents.json",
      before: "cp '\(RoleSetupStage.policy)' app.json"),
    Special(page: "docs/endpoints.md", line: "AWS_ENDPOINT_URL_SSO=", before: "vault login corp", status: 77),
    Special(
      page: "docs/endpoints.md", line: "vault config --add trusted_endpoints http://127.0.0.1:5000",
      before: "vault config ca_bundle ''"),
    Special(page: "docs/exec.md", line: "vault exec app-dev   ", answers: [(question: "[#$] $", answer: "exit\n")]),
    Special(page: "docs/exec.md", line: "vault: AssumeRole", status: 77, command: "vault exec app-prod -- true"),
    Special(page: "docs/guarded-profiles.md", line: "vault guard list", before: guardRules),
    Special(page: "docs/guarded-profiles.md", line: "vault approve 4k7q2m", status: 66),
    Special(
      page: "docs/headless.md", line: "vault: no D-Bus", status: 69,
      command: "env -u XDG_RUNTIME_DIR -u VAULT_KEYSTORE VAULT_HOME=\"$PWD/desktop\" vault import </dev/null"),
    Special(
      page: "docs/headless.md", line: "vault: master key", before: deploy + "; vault agent stop", status: 78,
      command: "vault exec deploy -- true"),
    Special(page: "docs/identities.md", line: "vault login --discover", answers: [(question: "part of a name", answer: "1\r")]),
    Special(page: "docs/import.md", line: "vault: 5 profiles", command: "VAULT_HOME=\"$PWD/again\" vault import </dev/null"),
    Special(
      page: "docs/import.md", line: "vault: ~/.aws/config:12", before: file("\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n\\n[profile a\\n"),
      status: 78,
      command: "vault import"),
    Special(
      page: "docs/import.md", line: "vault: ~/.aws/config:5",
      before: file(
        "[profile a]\\nrole_arn = arn:aws:iam::123456789012:role/a\\nsource_profile = b\\n[profile b]\\nsource_profile = a\\nrole_arn = arn:aws:iam::123456789012:role/b\\n"
      ) + "; vault import", status: 78, command: "vault exec a -- true"),
    Special(page: "docs/master-key.md", line: "vault exec app-dev", before: "vault lock", status: 77),
    Special(page: "docs/master-key.md", line: "vault master-key status", before: "vault unlock"),
    Special(page: "docs/master-key.md", line: "vault master-key restore", before: noKey),
    Special(
      page: "docs/master-key.md", line: "vault: master key", before: noKey, status: 78, command: "vault exec app-dev -- true"),
    Special(page: "docs/profiles.md", line: "vault add deploy-dev", before: deploy),
    Special(page: "docs/profiles.md", line: "vault edit app-dev", status: 78),
    Special(
      page: "docs/reports.md", line: "vault list",
      before: "vault exec --mfa-code 100001 app-admin -- true; for i in 1 2 3; do vault exec app-dev -- true; done"),
    Special(
      page: "docs/reports.md", line: "vault audit --follow", status: 130,
      answers: [(question: "Deliver[^\n]*\n$", answer: "\u{3}")]),
    Special(page: "docs/reports.md", line: "vault audit stats", isOther: true),
    Special(
      page: "docs/scope.md", line: "vault exec --read-only", before: "printf '#!/bin/sh\\n' > report; chmod +x report"),
    Special(
      page: "docs/scope.md", line: "vault exec --policy report.json",
      before: #"echo '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"s3:*","Resource":"*"}}' > report.json"#),
    Special(page: "docs/sessions.md", line: "vault rotate app-dev", before: "vault exec app-dev -- true"),
    Special(page: "docs/shells.md", line: "vuse  ", answers: [(question: "part of a name", answer: "1\r")]),
    Special(page: "docs/sign-in.md", line: "vault login corp --adopt", before: "vault login corp --share-token"),
    Special(
      page: "docs/sign-in.md", line: "vault login https://corp", answers: [(question: "part of a name", answer: "1\r")]),
    Special(
      page: "docs/sign-in.md", line: "vault login corp --discover   ", answers: [(question: "part of a name", answer: "1\r")]),
    Special(page: "docs/team-audit.md", line: "vault audit verify --from postgresql", isOther: true),
  ]

  /// What a page leaves to its reader.
  static let placeholders = [
    ("http://127.0.0.1:5000", "\"$SIMULATOR\""), (" HEX", " \"$(vault audit key)\""), ("--from URL", "--from \"$LEAD\""),
    ("postgresql://alice@db.example.com/audit", "\"$LAPTOP\""),
    ("postgresql://lead@db.example.com/audit", "\"$LEAD\""),
  ]

  /// What a person answers, wherever it is asked.
  static let answers: [(question: String, answer: String)] = [
    ("[Pp]assphrase[^\n]*: ?$", "correct horse battery staple\n"), ("[Aa]gain[^\n]*: ?$", "correct horse battery staple\n"),
    ("\\[y/N\\] ?$", "n\n"), ("Access key id: ?$", STSWorld.bobAccessKeyId + "\n"),
    ("Secret access key: ?$", STSWorld.bobSecretAccessKey + "\n"),
    ("Secret key of the MFA device: ?$", STSWorld.aliceTOTPSecret + "\n"),
  ]

  /// What stands in for programs that the pages name and vault does not bring.
  static let programs: [String: String] = [
    "aws": "case $1 in sts) exec AWS \"$@\" ;; *) echo '{\"Events\":[]}' ;; esac",
    "browser": "exec PYTHON -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()' \"$1\"",
    "docker": "exit 0", "terraform": "exit 0", "my-idp-client": "echo \(assertion)", "psql": "cat >/dev/null",
  ]

  private static let assertion = IdentityTests().assertion([STSWorld.ssoRole, STSWorld.machineRole])

  static func credentials(_ page: String) -> String {
    // On the page of the AWS side that profile signs in.
    ((page == "docs/aws-side.md" ? [] : ["MyApplicationDevProfile"]) + (page == "docs/exec.md" ? ["alice"] : [])).map {
      "[\($0)]\naws_access_key_id = \(STSWorld.aliceAccessKeyId)\naws_secret_access_key = \(STSWorld.aliceSecretAccessKey)\n"
    }.joined()
  }

  /// The AWS files of the person who reads a page.
  static func config(_ page: String) throws -> String {
    func role(_ name: String, _ role: String, _ source: String, _ more: String = "") -> String {
      "[profile \(name)]\nrole_arn = arn:aws:iam::123456789012:role/my-application-\(role)-role\nsource_profile = \(source)\n\(more)\n"
    }
    let shared =
      "[profile MyApplicationDevProfile]\nregion = us-east-1\n\n"
      + role("app-dev", "dev", "MyApplicationDevProfile", "region = us-east-1\n")
      + role("app-prod", "prod", "MyApplicationDevProfile")
    switch page {
    case "README.md", "docs/shells.md": return shared + role("app-dev-reports", "reports", "app-dev")
    case "docs/reports.md":
      return shared + role("app-admin", "admin", "MyApplicationDevProfile", "mfa_serial = \(STSWorld.aliceMFASerial)\n")
    case "docs/lost-laptop.md": return shared + role("admin", "admin", "MyApplicationDevProfile")
    case "docs/import.md": return shared + role("x", "reports", "app-dev") + role("y", "reports", "app-dev")
    case "docs/sign-in.md", "docs/endpoints.md", "docs/aws-side.md":
      return try TypedPage(page == "docs/aws-side.md" ? page : "docs/sign-in.md").steps.filter {
        $0.block.hasPrefix("[sso-session")
      }.map { $0.command + "\n" }
        .joined()
    default: return shared
    }
  }

  /// The AWS of the pages.
  static let world: STSWorld = {
    var world = STSWorld.standard
    var center = STSWorld.center
    center.region = "eu-central-1"
    center.accounts[0].roles.append("MyApplicationDevPermissions")
    world.identityCenter = center
    world.users.removeAll { $0.name == "bob" }
    world.users.append(
      STSWorld.User(
        arn: "arn:aws:iam::123456789012:user/deploy",
        accessKeys: [STSWorld.AccessKey(id: STSWorld.bobAccessKeyId, secret: STSWorld.bobSecretAccessKey)],
        mfaDevices: [STSWorld.MFADevice(serial: "arn:aws:iam::123456789012:mfa/deploy", totpSecret: STSWorld.aliceTOTPSecret)],
        mayAssume: ["*"]))
    for name in ["Developer", "MyApplicationDevPermissions"] {
      world[role: STSWorld.devRole]?.trusts.append(center.roleARN(STSWorld.ssoAccount, name))
    }
    for (name, trusts) in [("admin", "arn:aws:iam::123456789012:root"), ("reports", STSWorld.devRole), ("prod", STSWorld.bobARN)]
    {
      world.roles.append(STSWorld.Role(arn: "arn:aws:iam::123456789012:role/my-application-\(name)-role", trusts: [trusts]))
    }
    return world
  }()
}
