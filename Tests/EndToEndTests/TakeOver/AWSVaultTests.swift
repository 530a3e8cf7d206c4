import Foundation
import TestSupport
import Testing
import VaultModel

/// `vault import --from aws-vault`: its stores in their own formats, written by another implementation.
@Suite(.endToEnd) struct AWSVaultTests {
  private static let passphrase = ["AWS_VAULT_FILE_PASSPHRASE": "their own passphrase"]

  private static func key(_ name: String, _ id: String, _ secret: String, more: String = "", wrapper: String = "") -> String {
    #"{"name":"\#(name)","data":{"AccessKeyID":"\#(id)","SecretAccessKey":"\#(secret)","SessionToken":"","Source":"","CanExpire":false\#(more)}\#(wrapper)}"#
  }
  private static let alice = key("alice", STSWorld.aliceAccessKeyId, STSWorld.aliceSecretAccessKey)

  private func stage(_ simulator: STSSimulatorProcess, _ items: [String]) async throws -> TakeOverStage {
    let vault = TestVault(environment: ["AWS_ENDPOINT_URL_STS": simulator.url])
    vault.config(TestVault.standardConfig)
    let stage = TakeOverStage(vault: vault)
    try await stage.script(
      "keyring_items.py", [vault.home + "/.awsvault/keys", "their own passphrase"], input: "[\(items.joined(separator: ","))]")
    stage.age(".awsvault")
    return stage
  }

  @Test("the keys of its file store are sealed, their profiles work, and its files keep their bytes and times")
  func fileStore() async throws {
    let simulator = try await STSSimulatorProcess()
    let session = "sts.GetSessionToken,YWxpY2U,,1700000000"
    let stage = try await stage(
      simulator,
      [
        Self.alice, Self.key(session, "ASIAIOSFODNN7EXAMPLE", "x"),
        #"{"name":"oidc:https://corp.awsapps.com/start","data":{}}"#,
        Self.key("team/admin", STSWorld.bobAccessKeyId, STSWorld.bobSecretAccessKey),
      ])
    let before = stage.snapshot(".awsvault")
    let items = try await stage.take("aws-vault", environment: Self.passphrase)
    #expect(items["access key alice"]?.result == "taken" && items["access key alice"]?.from == "~/.awsvault/keys/alice")
    #expect(items["access key team/admin"]?.result == "taken")
    #expect(items["session sts.GetSessionToken"]?.result == "not taken")
    #expect(items["session https://corp.awsapps.com/start"]?.result == "not taken")
    #expect(items.count == 4)
    try await stage.vault.mustRun("exec", "app-dev", "--", "true")
    try await stage.vault.mustRun("exec", "team/admin", "--", "true")
    #expect(stage.snapshot(".awsvault") == before)

    let again = try await stage.take("aws-vault", environment: Self.passphrase)
    #expect(again["access key alice"]?.result == "known" && !again.values.contains { $0.result == "taken" })
    #expect(try await stage.vault.rows("access-key", "list").count == 2)
    #expect(stage.snapshot(".awsvault") == before)
  }

  @Test("a dry run needs no passphrase, names what would be taken, and leaves the vault empty")
  func dryRun() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator, [Self.alice])
    let before = stage.snapshot(".awsvault")
    #expect(try await stage.take("aws-vault", "--dry-run")["access key alice"]?.result == "taken")
    let shown = try await stage.vault.mustRun("import", "--from", "aws-vault", "--dry-run")
    #expect(shown.contains("would be taken"), "\(shown)")
    #expect(try await stage.vault.rows("access-key", "list").isEmpty)
    #expect(try await stage.vault.rows("list").isEmpty)
    #expect(try await stage.vault.rows("master-key", "status").isEmpty)
    #expect(stage.snapshot(".awsvault") == before)
  }

  @Test("each item that cannot be opened or is no key is named with its reason, and the others are taken")
  func hostile() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(
      simulator,
      [
        Self.alice, Self.key("moved", STSWorld.bobAccessKeyId, STSWorld.bobSecretAccessKey, wrapper: #","key":"alice""#),
        Self.key("slow", STSWorld.bobAccessKeyId, "x", wrapper: #","claimed":{"p2c":1300001}"#),
        Self.key("other", STSWorld.bobAccessKeyId, "x", wrapper: #","header":{"alg":"PBES2-HS512+A256KW"}"#),
        Self.key("placeholder", "<your key>", "<your secret>"),
        Self.key("temporary", "ASIAIOSFODNN7EXAMPLE", "x", more: #","SessionToken":"token""#),
      ])
    stage.write("not a JWE", to: ".awsvault/keys/plain")
    stage.write(String(repeating: "a", count: 2 << 20), to: ".awsvault/keys/long")
    mkfifo(stage.vault.home + "/.awsvault/keys/pipe", 0o600)
    stage.write("x", to: ".awsvault/keys/bell\u{7}")
    // Latin-1, as a name from an old machine.
    stage.write("x", to: ".awsvault/keys/caf%E9")
    let promised = try await stage.take("aws-vault", "--dry-run")
    #expect(promised["access key caf\u{FFFD}"]?.result == "not taken")
    let items = try await stage.take("aws-vault", environment: Self.passphrase)
    #expect(items["access key alice"]?.result == "taken")
    #expect(items.values.filter { $0.result == "taken" }.count == 1, "\(items)")
    let reasons = [
      "moved": "its content has another name", "slow": "its parameters are invalid", "other": "encrypted in another way",
      "placeholder": "the access key is invalid", "temporary": "temporary", "plain": "not an encrypted item",
      "long": "longer than 1 MiB", "pipe": "not a regular file", "caf\u{FFFD}": "its name is not UTF-8",
    ]
    for (name, reason) in reasons {
      #expect(items["access key \(name)"]?.detail?.contains(reason) == true, "\(name): \(items["access key \(name)"] as Any)")
    }
    let shown = try await stage.vault.run("import", "--from", "aws-vault", environment: Self.passphrase)
    #expect(!shown.output.contains("\u{7}") && shown.output.contains("bell\\x07"), "\(shown.output)")
  }

  @Test("a wrong passphrase takes nothing, and without a terminal or the variable it is asked for in vain")
  func wrongPassphrase() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator, [Self.alice])
    let wrong = try await stage.take("aws-vault", environment: ["AWS_VAULT_FILE_PASSPHRASE": "another"])
    #expect(wrong["access key alice"]?.detail == "the passphrase does not open it")
    let unasked = try await stage.vault.run("import", "--from", "aws-vault")
    #expect(unasked.end == .exit(77) && unasked.errors.contains("~/.awsvault/keys"), "\(unasked.errors)")
    #expect(try await stage.vault.rows("access-key", "list").isEmpty)
  }

  /// Runs `vault` at a pseudo-terminal of its own and types a line at the first prompt; prints what was shown.
  private static let terminal = """
    import os, pty, sys
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp(sys.argv[2], sys.argv[2:])
    shown = b""
    while True:
        try:
            piece = os.read(terminal, 4096)
        except OSError:
            break
        if not piece:
            break
        if not shown.endswith(b"keys: ") and (shown + piece).endswith(b"keys: "):
            os.write(terminal, sys.argv[1].encode() + b"\\n")
        shown += piece
    print(shown.decode())
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    """

  @Test("at a terminal the passphrase is asked for, and not shown")
  func typed() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator, [Self.alice])
    let result = try await Subprocess.run(
      try Programs.python,
      ["-c", Self.terminal, "their own passphrase", try Programs.vault, "import", "--from", "aws-vault"],
      environment: stage.vault.environment)
    #expect(result.succeeded && result.output.contains("Passphrase for ~/.awsvault/keys:"), "\(result.output) \(result.errors)")
    #expect(!result.output.contains("their own passphrase") && result.output.contains("1 taken over"), "\(result.output)")
  }

  @Test("a profile that assumes a role with its own key, as only aws-vault does, is named with the line that it needs")
  func selfSourced() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator, [Self.alice])
    let profile = "[profile alice]\nrole_arn = \(STSWorld.devRole)\nregion = eu-west-1\n"
    stage.vault.config(profile)
    let items = try await stage.take("aws-vault", environment: Self.passphrase)
    #expect(items["access key alice"]?.result == "taken")
    #expect(items["access key alice"]?.detail == "add source_profile = alice to its profile, which assumes a role")
    #expect(try await stage.vault.run("exec", "alice", "--", "true").end == .exit(78))
    stage.vault.config(profile + "source_profile = alice\n")
    try await stage.vault.mustRun("exec", "alice", "--", "true")
  }

  @Test("a key that the vault has under the same name stays, and both keys' names are told")
  func existing() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator, [Self.alice])
    try await stage.vault.mustRun(
      "access-key", "add", "alice", input: "\(STSWorld.bobAccessKeyId)\n\(STSWorld.bobSecretAccessKey)\n")
    let items = try await stage.take("aws-vault", environment: Self.passphrase)
    #expect(items["access key alice"]?.result == "known")
    #expect(items["access key alice"]?.detail?.contains(STSWorld.bobAccessKeyId) == true)
    #expect(try await stage.vault.rows("access-key", "list").first?["accessKeyId"] as? String == STSWorld.bobAccessKeyId)
  }

  @Test("the keys of its collection in a real gnome-keyring are taken, and its items stay")
  func secretService() async throws {
    let keyring = try KeyringSession(.unlocked(password: "demo"))
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: [
      "AWS_ENDPOINT_URL_STS": simulator.url, "DBUS_SESSION_BUS_ADDRESS": keyring.busAddress,
    ])
    vault.config(TestVault.standardConfig)
    let data = Data(
      #"{"AccessKeyID":"\#(STSWorld.aliceAccessKeyId)","SecretAccessKey":"\#(STSWorld.aliceSecretAccessKey)","SessionToken":""}"#
        .utf8)
    let item = #"{"Key":"alice","Data":"\#(data.base64EncodedString())","Label":"aws-vault (alice)"}"#
    // As the library gsterjov/go-libsecret labels and marks an item; the collection is the login keyring's.
    _ = try keyring.run("secret-tool", ["store", "--label", "alice", "profile", "alice"], input: item)
    let stage = TakeOverStage(vault: vault)
    let login = ["AWS_VAULT_SECRET_SERVICE_COLLECTION_NAME": "login"]
    let dry = try await stage.take("aws-vault", "--dry-run", environment: login)
    #expect(dry["access key alice"]?.result == "taken")
    #expect(try await vault.rows("access-key", "list").isEmpty)
    let items = try await stage.take("aws-vault", environment: login)
    #expect(items["access key alice"]?.result == "taken" && items["access key alice"]?.from == "keyring login", "\(items)")
    try await vault.mustRun("exec", "app-dev", "--", "true")
    #expect(try keyring.items("profile", "alice").count == 1)

    // Locked, and nobody can be asked.
    try keyring.lock()
    let locked = try await stage.take("aws-vault", "--dry-run", environment: login)
    #expect(locked["access key login"]?.detail == "the keyring is locked, and a dry run does not unlock it", "\(locked)")
    let refused = try await vault.run("import", "--from", "aws-vault", environment: login)
    #expect(refused.end == .exit(77) && refused.errors.contains("keyring"), "\(refused.errors)")
  }

  @Test("without any of its stores it says where it looked")
  func nothing() async throws {
    let vault = TestVault()
    let result = try await vault.run("import", "--from", "aws-vault")
    #expect(result.end == .exit(66) && result.errors.contains("no folder ~/.awsvault/keys"), "\(result.errors)")
    let misspelled = try await vault.run("import", "--from", "aws-valt")
    #expect(misspelled.end == .exit(64) && misspelled.errors.contains("did you mean aws-vault?"), "\(misspelled.errors)")
  }

  @Test("no secret of it is in a process's arguments, the database, or a log")
  func secrets() async throws {
    let simulator = try await STSSimulatorProcess()
    let stage = try await stage(simulator, [Self.alice])
    _ = try await stage.take("aws-vault", environment: Self.passphrase)
    let folder = stage.vault.vaultHome
    for name in try FileManager.default.subpathsOfDirectory(atPath: folder) {
      guard let bytes = FileManager.default.contents(atPath: folder + "/" + name) else { continue }
      for secret in [STSWorld.aliceSecretAccessKey, "their own passphrase"] {
        #expect(bytes.range(of: Data(secret.utf8)) == nil, "\(name)")
      }
    }
    #expect(try await stage.vault.mustRun("audit").contains("from aws-vault: 1 access key"))
  }
}
