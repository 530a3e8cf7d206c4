import Foundation
import Glibc
import TestSupport
import Testing
import VaultModel

/// Every command that hands something out or changes the vault, and the rows that it leaves.
@Suite(.endToEnd) struct CompletenessTests {
  /// A command, and the rows that must be new after it: `Action/outcome/trigger`.
  private struct Step {
    let words: [String]
    let rows: [String]
    var input = ""
    var environment: [String: String] = [:]
    var status: Int32 = 0
  }

  /// Goes through the steps and returns all rows, intents too.
  private func consume(_ steps: [Step], _ vault: TestVault) async throws -> [[String: Any]] {
    var seen = try await log(vault).count
    for step in steps {
      let result = try await vault.run(words: step.words, environment: step.environment, input: step.input)
      #expect(result.end == .exit(step.status), "\(step.words): \(result.errors)")
      let rows = try await log(vault)
      let new = rows.dropFirst(seen).map { row in
        ["action", "outcome", "trigger"].map { row[$0] as? String ?? "-" }.joined(separator: "/")
      }
      for wanted in step.rows { #expect(new.contains(wanted), "\(step.words) left \(new), and no \(wanted)") }
      seen = rows.count
    }
    return try await log(vault)
  }

  private func log(_ vault: TestVault) async throws -> [[String: Any]] {
    let result = try await vault.run("audit", "export", "--format", "jsonl", "--whole")
    return try result.outputBytes.split(separator: 10).map {
      try JSONSerialization.jsonObject(with: Data($0)) as? [String: Any] ?? [:]
    }
  }

  private func actions(_ rows: [[String: Any]]) -> Set<String> { Set(rows.compactMap { $0["action"] as? String }) }

  /// What every row says, and what a call to AWS and a delivery say so that CloudTrail has the same event.
  private func expectFields(_ rows: [[String: Any]]) {
    for row in rows {
      let action = row["action"] as? String ?? ""
      let outcome = row["outcome"] as? String ?? ""
      let requester = row["requester"] as? [String: Any] ?? [:]
      #expect((requester["user"] as? String)?.isEmpty == false && requester["uid"] as? Int != nil, "\(row)")
      #expect((requester["program"] as? String)?.isEmpty == false && (requester["host"] as? String)?.isEmpty == false, "\(row)")
      let isCall = ["AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "GetSessionToken", "GetRoleCredentials"]
        .contains(action)
      guard isCall else {
        guard action == "Deliver" else { continue }
        for name in ["profile", "accessKeyId", "sessionId", "issuedAt", "expiresAt"] {
          #expect(row[name] is String, "\(name): \(row)")
        }
        continue
      }
      #expect(row["endpoint"] is String && row["mfa"] is Bool, "\(row)")
      if ["success", "failure", "refused"].contains(outcome) { #expect(row["intentId"] is String, "\(row)") }
      guard outcome == "success" else { continue }
      for name in ["requestId", "accessKeyId", "issuedAt", "expiresAt", "sessionId"] {
        #expect(row[name] is String, "\(name): \(row)")
      }
      if action.hasPrefix("AssumeRole") {
        #expect(row["roleArn"] is String && row["roleSessionName"] is String && row["durationSeconds"] is Int, "\(row)")
      }
      if action == "AssumeRole" || action == "GetSessionToken" { #expect(row["sourceAccessKeyId"] is String, "\(row)") }
    }
  }

  @Test("every command leaves its rows, with all that finds them again in CloudTrail")
  func commands() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    vault.config(
      TestVault.standardConfig
        + "[profile named]\nrole_arn = \(STSWorld.devRole)\nsource_profile = alice\nsource_identity = alice\n")
    vault.credentials(TestVault.standardCredentials)
    vault.folder.write("nine words that nobody would think of in order\n", to: "words")
    let (copy, words) = (vault.folder.file("copy"), vault.folder.file("words"))
    let key = "\(STSWorld.aliceAccessKeyId)\n\(STSWorld.aliceSecretAccessKey)\n"
    let rows = try await consume(
      [
        Step(
          words: ["import"],
          rows: ["AgentStarted/success/start", "VaultCreated/success/manual", "ProfilesImported/success/manual"]),
        Step(
          words: ["exec", "app-dev", "--reason", "why", "--", "true"],
          rows: ["AssumeRole/intent/exec", "AssumeRole/success/exec", "Deliver/success/exec"]),
        Step(words: ["exec", "bob-dev", "--", "true"], rows: ["AssumeRole/intent/exec", "AssumeRole/refused/exec"], status: 77),
        Step(
          words: ["exec", "--mfa-code", STSWorld.aliceMFACodes[0], "app-mfa", "--", "true"],
          rows: ["GetSessionToken/success/exec", "AssumeRole/success/exec", "Deliver/success/exec"]),
        Step(words: ["env", "app-dev"], rows: ["Deliver/success/env"]),
        Step(words: ["credentials", "app-dev"], rows: ["Deliver/success/credentials"]),
        Step(words: ["console", "app-dev", "--print"], rows: ["Deliver/success/console"]),
        Step(words: ["exec", "--server", "app-dev", "--", "true"], rows: ["Deliver/success/server"]),
        Step(words: ["rotate", "app-dev"], rows: ["AssumeRole/success/manual", "SessionReplaced/success/manual"]),
        Step(words: ["forget", "app-dev"], rows: ["SessionForgotten/success/manual"]),
        Step(words: ["add", "own", "--role-arn", STSWorld.devRole, "--source", "alice"], rows: ["ProfileAdded/success/manual"]),
        Step(words: ["edit", "own", "--region", "eu-west-1"], rows: ["ProfileChanged/success/manual"]),
        Step(words: ["link", "own"], rows: ["ProfilesLinked/success/manual"]),
        Step(words: ["unlink", "own"], rows: ["ProfilesUnlinked/success/manual"]),
        Step(
          words: ["link", "--credentials-file", "own"], rows: ["Deliver/success/credentials", "CredentialsLinked/success/manual"]),
        Step(words: ["unlink", "--credentials-file", "own"], rows: ["CredentialsUnlinked/success/manual"]),
        Step(words: ["remove", "own"], rows: ["ProfileRemoved/success/manual"]),
        Step(words: ["access-key", "add", "spare"], rows: ["AccessKeyAdded/success/manual"], input: key),
        Step(
          words: ["access-key", "rotate", "spare"],
          rows: ["CreateAccessKey/success/manual", "DeleteAccessKey/success/manual", "AccessKeyChanged/success/manual"]),
        Step(words: ["access-key", "remove", "spare"], rows: ["AccessKeyRemoved/success/manual"]),
        Step(
          words: ["access-key", "add", "coded", "--totp", "--mfa-serial", STSWorld.aliceMFASerial],
          rows: ["AccessKeyAdded/success/manual", "MFASecretAdded/success/manual"], input: key + STSWorld.aliceTOTPSecret + "\n"),
        Step(
          words: ["access-key", "remove", "coded"], rows: ["AccessKeyRemoved/success/manual", "MFASecretRemoved/success/manual"]),
        Step(words: ["config", "audit_failure", "deliver"], rows: ["SettingChanged/success/manual"]),
        Step(words: ["config", "--unset", "audit_failure"], rows: ["SettingChanged/success/manual"]),
        Step(words: ["lock"], rows: ["Locked/success/manual"]), Step(words: ["unlock"], rows: ["Unlocked/success/manual"]),
        Step(words: ["master-key", "rotate"], rows: ["KeyRotated/success/manual"]),
        Step(words: ["master-key", "backup", copy, "--passphrase-file", words], rows: ["KeyBackedUp/success/manual"]),
        Step(words: ["audit", "key", "--new"], rows: ["AuditKeysMade/success/manual"]),
        Step(words: ["agent", "stop"], rows: ["AgentStopped/success/manual"]),
        Step(words: ["agent", "start"], rows: []),
        // The rotation above deleted the key; the agent's start stands before whatever comes first.
        Step(
          words: ["exec", "partner", "--", "true"], rows: ["AgentStarted/success/start", "AssumeRole/refused/exec"], status: 77),
      ], vault)
    expectFields(rows)
    let mfa = rows.filter { $0["action"] as? String == "GetSessionToken" && $0["outcome"] as? String == "success" }
    #expect(mfa.allSatisfy { $0["mfa"] as? Bool == true } && !mfa.isEmpty)
    #expect(rows.contains { $0["reason"] as? String == "why" && $0["action"] as? String == "Deliver" })
    // Each call that the simulator saw is found by its request id, with the key that signed it and the one that was issued.
    let calls = try await simulator.report().requests.filter { $0.action == "AssumeRole" }
    for call in calls {
      let logged = rows.filter { $0["action"] as? String == "AssumeRole" && $0["requestId"] as? String == call.requestId }
      #expect(logged.count == 1 && logged.first?["sourceAccessKeyId"] as? String == call.accessKeyId, "\(call)")
    }
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("a sign-in, its renewal, what it gives and its end leave their rows")
  func signIn() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await SignInTests.vault(simulator)
    let rows = try await consume(
      [
        Step(
          words: ["login", "--device", "corp"],
          rows: ["RegisterClient/success/manual", "CreateToken/intent/manual", "CreateToken/success/manual"]),
        Step(
          words: ["exec", "app", "--", "true"],
          rows: ["GetRoleCredentials/success/exec", "AssumeRole/success/exec", "Deliver/success/exec"]),
        Step(words: ["logout"], rows: ["SignedOut/success/manual"]),
      ], vault)
    expectFields(rows)
  }

  @Test("every other source of an identity leaves its rows")
  func sources() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    let answer = """
      {"Version":1,"AccessKeyId":"\(STSWorld.aliceAccessKeyId)","SecretAccessKey":"\(STSWorld.aliceSecretAccessKey)"}
      """
    let files = [
      "token": STSWorld.webToken + "\n", "assertion": IdentityTests().assertion([IdentityTests.ciRole], sessionName: "alice"),
      "answer": answer,
      "container": "container-token",
    ]
    for (name, text) in files { vault.folder.write(text, to: name) }
    func over(_ name: String, _ role: String, _ settings: String) -> String {
      "[profile \(name)]\nregion = us-east-1\nrole_arn = \(role)\n\(settings)\n"
    }
    vault.config(
      over("web", IdentityTests.ciRole, "web_identity_token_file = \(vault.folder.file("token"))")
        + over("saml", IdentityTests.ciRole, "saml_process = cat \(vault.folder.file("assertion"))")
        + "[profile process]\ncredential_process = cat \(vault.folder.file("answer"))\n"
        + over("processed", STSWorld.devRole, "source_profile = process")
        + over("container", STSWorld.ssoRole, "credential_source = EcsContainer")
        + over("instance", STSWorld.ssoRole, "credential_source = Ec2InstanceMetadata")
        + over("environment", STSWorld.devRole, "credential_source = Environment"))
    func call(_ action: String) -> [String] { ["\(action)/intent/exec", "\(action)/success/exec"] }
    let rows = try await consume(
      [
        Step(words: ["import"], rows: ["ProfilesImported/success/manual"]),
        Step(words: ["exec", "web", "--", "true"], rows: call("AssumeRoleWithWebIdentity") + ["Deliver/success/exec"]),
        Step(words: ["exec", "saml", "--", "true"], rows: call("AssumeRoleWithSAML") + ["Deliver/success/exec"]),
        Step(
          words: ["exec", "processed", "--", "true"],
          rows: ["CredentialProcess/success/exec", "Deliver/success/exec"] + call("AssumeRole")),
        Step(
          words: ["exec", "container", "--", "true"],
          rows: ["ContainerCredentials/success/exec", "Deliver/success/exec"] + call("AssumeRole"),
          environment: [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": simulator.url + "/credentials",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": vault.folder.file("container"),
          ]),
        Step(
          words: ["exec", "instance", "--", "true"],
          rows: ["InstanceCredentials/success/exec", "Deliver/success/exec"] + call("AssumeRole"),
          environment: ["AWS_EC2_METADATA_SERVICE_ENDPOINT": simulator.url]),
        Step(
          words: ["exec", "environment", "--", "true"],
          rows: ["EnvironmentCredentials/success/exec", "Deliver/success/exec"] + call("AssumeRole"),
          environment: [
            "AWS_ACCESS_KEY_ID": STSWorld.aliceAccessKeyId, "AWS_SECRET_ACCESS_KEY": STSWorld.aliceSecretAccessKey,
          ]),
      ], vault)
    expectFields(rows)
    #expect(try await vault.run("audit", "verify").succeeded)
  }

  @Test("an archiving, a copy of the log put back and a key put back leave their rows, by whom and what of")
  func keptLog() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    vault.folder.write("nine words that nobody would think of in order\n", to: "words")
    let (copy, words) = (vault.folder.file("copy"), vault.folder.file("words"))
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await vault.mustRun("master-key", "backup", copy, "--passphrase-file", words)
    try await vault.mustRun("audit", "archive", "--before", "0s")
    // A copy of the database while nobody has it open, and then rows that it does not have.
    try await vault.mustRun("agent", "stop")
    let old = ["", "-wal"].map {
      (name: vault.database + $0, data: try? Data(contentsOf: URL(fileURLWithPath: vault.database + $0)))
    }
    try await vault.mustRun("exec", "app-dev", "--", "true")
    try await vault.mustRun("agent", "stop")
    for name in ["-wal", "-shm"] { unlink(vault.database + name) }
    for file in old {
      try file.data?.write(to: URL(fileURLWithPath: file.name))
      chmod(file.name, 0o600)
    }
    try await vault.mustRun("audit", "accept")
    try await vault.mustRun("agent", "stop")
    let keys = try FileManager.default.contentsOfDirectory(atPath: vault.vaultHome).filter { $0.hasPrefix("master-key-") }
    #expect(keys.count == 1)
    for name in keys { unlink(vault.folder.file("vault/\(name)")) }
    let restored = try await vault.run("master-key", "restore", copy, "--passphrase-file", words)
    #expect(restored.succeeded, "\(restored.errors)")
    let rows = try await log(vault)
    for (action, detail) in [
      ("AuditArchived", "rows 1 to "), ("AuditAccepted", "restored to row "), ("KeyRestored", ""), ("SecretKept", "version "),
    ] {
      let row = try #require(rows.first { $0["action"] as? String == action }, "\(action)")
      #expect(row["outcome"] as? String == "success" && row["trigger"] as? String == "manual", "\(row)")
      let told = row["detail"] as? String ?? ""
      #expect(detail.isEmpty || told.contains(detail), "\(row)")
    }
    expectFields(rows)
    #expect(try await vault.run("audit", "verify").succeeded)
  }
}
