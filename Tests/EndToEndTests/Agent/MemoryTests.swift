import Foundation
import Glibc
import TestSupport
import Testing

/// What the agent's memory holds once the vault is locked.
@Suite(.endToEnd, .tags(.measures)) struct MemoryTests {
  /// Reads the writable memory of a process, and names the texts of which 32 bytes in a row are in it. Pages of zeros are passed over.
  private static let scan = """
    import json, sys
    pid, texts, seen, scanned = sys.argv[1], json.load(sys.stdin), [], 0
    pieces = [(name, text.encode()[i:i + 32]) for name, text in texts.items() for i in range(0, max(len(text) - 31, 1), 32)]
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as memory:
        for line in maps:
            span, mode, *rest = line.split()
            if not mode.startswith("rw"):
                continue
            start, end = (int(number, 16) for number in span.split("-"))
            memory.seek(start)
            region = memory.read(end - start)
            pages = (region[i:i + 4096] for i in range(0, len(region), 4096))
            held = b"".join(page for page in pages if page.strip(b"\\0"))
            scanned += len(held)
            seen += [f"{name} in {rest[3] if len(rest) > 3 else 'memory without a name'}" for name, piece in pieces if piece in held]
    json.dump({"scanned": scanned, "seen": seen}, sys.stdout)
    """

  private struct Scan: Decodable {
    let scanned: Int
    let seen: [String]
  }

  /// What root can read, and nobody else.
  private func found(_ texts: [String: String], in pid: pid_t) async throws -> [String] {
    let result = try await Subprocess.run(
      Programs.python, ["-c", Self.scan, "\(pid)"], environment: [:], input: [UInt8](JSONEncoder().encode(texts)), timeout: 120)
    #expect(result.succeeded, "\(result.errors)")
    let scan = try JSONDecoder().decode(Scan.self, from: Data(result.outputBytes))
    #expect(scan.scanned > 1 << 20)
    return scan.seen
  }

  /// A program's credentials as `exec` gives them, each under a name that a failure shows in its place.
  private func session(_ vault: TestVault, _ profile: String, _ name: String) async throws -> [String: String] {
    var secrets: [String: String] = [:]
    for line in try await vault.mustRun("exec", profile, "--", "env").split(separator: "\n") {
      for variable in ["AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"] where line.hasPrefix(variable + "=") {
        secrets["\(variable) of \(name)"] = String(line.dropFirst(variable.count + 1))
      }
    }
    #expect(secrets.count == 2)
    return secrets
  }

  @Test(
    "once the vault is locked, the agent's memory holds no piece of a secret, a session's key or its token",
    .enabled(if: geteuid() == 0, "only root can read the agent's memory"))
  func locked() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = try await TestVault(simulator)
    var secrets = [
      "alice's secret": STSWorld.aliceSecretAccessKey, "bob's secret": STSWorld.bobSecretAccessKey,
    ]
    for round in 1...3 {
      for profile in ["app-dev", "app-chained", "partner"] {
        secrets.merge(try await session(vault, profile, "\(profile), \(round)")) { old, _ in old }
      }
      try await vault.mustRun("rotate", "--all")
    }
    let served = try await vault.mustRun(
      "exec", "--server", "app-chained", "--", "sh", "-c",
      "\"$0\" -c 'import os, urllib.request; print(len(urllib.request.urlopen(urllib.request.Request(os.environ[\"AWS_CONTAINER_CREDENTIALS_FULL_URI\"], headers={\"Authorization\": os.environ[\"AWS_CONTAINER_AUTHORIZATION_TOKEN\"]})).read()))'",
      try Programs.python)
    #expect(Int(served.trimmingCharacters(in: .whitespacesAndNewlines)) ?? 0 > 400)
    secrets.merge(try await session(vault, "app-chained", "the one that was served")) { old, _ in old }
    let pid = try #require(vault.agentPID)
    try await vault.mustRun("lock")
    let seen = try await found(secrets, in: pid)
    #expect(seen.isEmpty, "\(seen)")
    // The scan itself can find something: what is no secret is still there.
    #expect(try await !found(["the vault's path": vault.database], in: pid).isEmpty)
  }

  /// A program's credentials, and what they were made of by each other way: sign-in, identity provider, command, MFA device.
  @Test(
    "nor a piece of a sign-in's tokens, an identity provider's answer, a command's keys, an MFA device's secret or a passphrase",
    .enabled(if: geteuid() == 0, "only root can read the agent's memory"))
  func everySource() async throws {
    let simulator = try await STSSimulatorProcess()
    let vault = TestVault(environment: simulator.environment)
    let ci = "arn:aws:iam::123456789012:role/ci"
    let keys =
      #"{"Version":1,"AccessKeyId":"\#(STSWorld.aliceAccessKeyId)","SecretAccessKey":"\#(STSWorld.aliceSecretAccessKey)"}"#
    let signature = (0..<96).map { _ in String("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".randomElement() ?? "A") }.joined()
    let response = """
      <samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">
      <saml:Assertion><saml:AttributeStatement><saml:Attribute Name="https://aws.amazon.com/SAML/Attributes/Role">
      <saml:AttributeValue>\(ci),\(STSWorld.samlProvider)</saml:AttributeValue>
      </saml:Attribute></saml:AttributeStatement></saml:Assertion><SignatureValue>\(signature)</SignatureValue></samlp:Response>
      """
    let assertion = Data(response.utf8).base64EncodedString()
    vault.folder.write(STSWorld.webToken, to: "token")
    vault.folder.write(assertion, to: "assertion")
    vault.folder.write(keys, to: "keys")
    vault.config(
      SignInTests.config + """

        [profile web]
        role_arn = \(ci)
        region = us-east-1
        web_identity_token_file = \(vault.folder.file("token"))

        [profile saml]
        role_arn = \(ci)
        region = us-east-1
        saml_process = cat \(vault.folder.file("assertion"))

        [profile process]
        credential_process = cat \(vault.folder.file("keys"))

        [profile behind]
        role_arn = \(STSWorld.devRole)
        source_profile = process

        """)
    try await vault.mustRun("import")
    try await vault.mustRun(
      "access-key", "add", "alice", "--totp", "--mfa-serial", STSWorld.aliceMFASerial,
      input: "\(STSWorld.aliceAccessKeyId)\n\(STSWorld.aliceSecretAccessKey)\n\(STSWorld.aliceTOTPSecret)\n")
    try await vault.mustRun(
      "add", "coded", "--role-arn", STSWorld.mfaRole, "--source", "alice", "--mfa-serial", STSWorld.aliceMFASerial, "--region",
      "us-east-1")
    try await vault.mustRun("login", "--device", "--share-token", "corp")
    var secrets = [
      "the key of the command": STSWorld.aliceSecretAccessKey, "the web identity's token": STSWorld.webToken,
      "the assertion": assertion,
      "the assertion's signature": signature, "the MFA secret": STSWorld.aliceTOTPSecret,
      // RFC 6238's seed, as it is used.
      "the MFA secret's bytes": "12345678901234567890",
      "the passphrase": try String(contentsOfFile: vault.folder.file("passphrase"), encoding: .utf8).trimmingCharacters(
        in: .newlines),
    ]
    let cache = vault.home + "/.aws/sso/cache"
    for file in try FileManager.default.contentsOfDirectory(atPath: cache) {
      let object = try JSONSerialization.jsonObject(with: Data(contentsOf: URL(fileURLWithPath: cache + "/" + file)))
      for name in ["accessToken", "refreshToken", "clientSecret"] {
        if let text = (object as? [String: Any])?[name] as? String { secrets["\(name) of the sign-in"] = text }
      }
    }
    #expect(secrets["accessToken of the sign-in"] != nil)
    for profile in ["app", "web", "saml", "behind", "coded"] {
      secrets.merge(try await session(vault, profile, profile)) { old, _ in old }
      // Once more by the tokens that are kept.
      try await vault.mustRun("rotate", profile)
    }
    let pid = try #require(vault.agentPID)
    try await vault.mustRun("lock")
    let seen = try await found(secrets, in: pid)
    #expect(seen.isEmpty, "\(seen)")
  }

  @Test("every library in the agent frees memory by the agent's own function, which wipes it")
  func wipingHeap() async throws {
    // The dynamic linker says whose function each name was bound to (ld.so(8), LD_DEBUG).
    let result = try await Subprocess.run(
      Programs.vaultd, ["--version"], environment: ["LD_DEBUG": "bindings", "LD_BIND_NOW": "1"], timeout: 60)
    let bindings = result.errors.split(separator: "\n").filter { $0.contains(/symbol `(free|realloc)'/) }
    for library in [
      "libcurl", "libcrypto", "libexpat", "libjansson", "libsqlite3", "libmicrohttpd", "libsodium", "libglib", "libc",
    ] {
      #expect(bindings.contains { $0.contains("/\(library)") && $0.contains("`free'") }, "\(library)")
    }
    #expect(bindings.filter { !$0.contains("/vaultd [0]: normal symbol") }.isEmpty)
  }
}
