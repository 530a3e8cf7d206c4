import AWSClient
import CCrypto
import Glibc
import VaultBytes
import VaultKeys
import VaultModel
import VaultSecrets
import VaultWire

/// Leapp: its sessions and integrations are in one file that the machine's id encrypts, its access keys in the desktop's keyring.
struct Leapp: TakeOverSource {
  func findings(_ stores: TheirStores) async throws -> [TakeOverFinding] {
    let path = stores.path ?? stores.home + "/.Leapp/Leapp-lock.json"
    guard let text = try stores.read(path) else {
      throw TakeOverError.nothing(program: TakeOverProgram.leapp.rawValue, places: ["no file \(stores.shown(path))"])
    }
    let plain = try Self.machineIds(stores).lazy.compactMap { CryptoJSText.open(text, passphrase: $0) }
      .compactMap { JSONDocument($0) }.first
    guard let workspace = plain, let sessions = workspace.objects("_sessions") else {
      throw TakeOverError.notUnderstood(
        path: stores.shown(path), why: "it does not open with this machine's id, or is of another version of Leapp")
    }
    var taking = Taking(workspace, of: stores, from: stores.shown(path))
    for session in sessions { await taking.add(session) }
    return taking.findings
  }

  /// The SHA-256 of the machine's id, as the package node-machine-id makes it; of its name if it has no id.
  private static func machineIds(_ stores: TheirStores) throws(TakeOverError) -> [String] {
    var ids: [String] = []
    for path in ["/var/lib/dbus/machine-id", "/etc/machine-id"] {
      guard let text = try stores.read(path) else { continue }
      ids.append(text.trimmed.withBytes { String(decoding: $0, as: UTF8.self) })
    }
    if ids.isEmpty {
      var name = [CChar](repeating: 0, count: 256)
      if gethostname(&name, name.count - 1) == 0 {
        ids.append(String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
      }
    }
    return ids.map { id in
      var digest = [UInt8](repeating: 0, count: Int(SHA256_DIGEST_LENGTH))
      let bytes = Array(id.lowercased().utf8)
      _ = SHA256(bytes, bytes.count, &digest)
      return hex(digest)
    }
  }
}

/// The sessions of a workspace on their way into the vault.
private struct Taking {
  private let origin: String
  private let stores: TheirStores
  private var sessions: SSOSessionNames
  /// The sso-session for each integration.
  private var integrations: [String: String] = [:]
  /// The name of the profile for each session.
  private var names: [String: String] = [:]
  private var made: [TakeOverFinding] = []

  var findings: [TakeOverFinding] { sessions.findings + made }

  init(_ workspace: JSONDocument, of stores: TheirStores, from origin: String) {
    let all = workspace.objects("_sessions") ?? []
    (self.origin, self.stores) = (origin, stores)
    sessions = SSOSessionNames(stores)
    for integration in workspace.objects("_awsSsoIntegrations") ?? [] {
      guard let id = integration.text("id"), let url = integration.text("portalUrl"), let region = integration.text("region")
      else {
        let name = integration.text("alias") ?? integration.text("id") ?? "integration"
        made.append(.none(.ssoSession, name, from: origin, why: "it has no id, portalUrl and region"))
        continue
      }
      integrations[id] = sessions.name(startURL: url, region: region, preferred: integration.text("alias"), from: origin)
    }
    let shown = all.compactMap { $0.text("sessionName") }
    for session in all {
      guard let id = session.text("sessionId"), let name = session.text("sessionName") else { continue }
      // Leapp calls all roles of an account by the account's name.
      let isShared = shown.count { $0 == name } > 1
      let role = session.text("roleArn").flatMap { $0.split(separator: "/").last }
      names[id] = isShared ? role.map { "\(name)-\($0)" } ?? name : name
    }
  }

  mutating func add(_ session: JSONDocument) async {
    guard let id = session.text("sessionId"), let name = names[id] else { return }
    func none(_ why: String) -> TakeOverFinding { .none(.profile, name, from: origin, why: why) }
    let region = session.text("region")
    switch session.text("type") {
    case "awsIamUser":
      made.append(
        await accessKey(
          of: session, id, named: name,
          note: region.map { "`vault edit \(ShellText.word(name)) --region \(ShellText.word($0))` keeps its region" }))
    case "awsSsoRole":
      // Leapp writes the ARN without "role": arn:aws:iam::123456789012/Developer.
      let parts =
        session.text("roleArn")?.split(separator: ":", omittingEmptySubsequences: false).last?.split(separator: "/") ?? []
      let arn = session.text("roleArn").flatMap { RoleARN($0) }
      let account =
        arn?.account ?? session.text("roleArn")?.split(separator: ":").last?.split(separator: "/").first.map(String.init)
      guard let integration = session.text("awsSsoConfigurationId").flatMap({ integrations[$0] }), let account,
        let role = arn?.name ?? parts.last.map(String.init)
      else { return made.append(none("its integration or its role is not in the workspace")) }
      made.append(
        .section(
          .profile, name,
          settings: [("sso_session", integration), ("sso_account_id", account), ("sso_role_name", role), ("region", region)],
          from: origin))
    case "awsIamRoleChained":
      guard let source = session.text("parentSessionId").flatMap({ names[$0] }) else {
        return made.append(none("the session that it is assumed with is not in the workspace"))
      }
      made.append(
        .section(
          .profile, name,
          settings: [
            ("role_arn", session.text("roleArn")), ("source_profile", source),
            ("role_session_name", session.text("roleSessionName")), ("region", region),
          ], from: origin))
    case "awsIamRoleFederated":
      made.append(
        .section(
          .profile, name,
          settings: [("role_arn", session.text("roleArn")), ("saml_provider_arn", session.text("idpArn")), ("region", region)],
          from: origin,
          note: "asks for the SAML assertion; set saml_process to a program that prints it"))
    case let type: made.append(none("it is no session at AWS (\(type ?? "no type"))"))
    }
  }

  /// An IAM user's key, in the items that keytar has made for Leapp.
  private func accessKey(of session: JSONDocument, _ id: String, named name: String, note: String?) async -> TakeOverFinding {
    let place = "keyring Leapp"
    let serial = session.text("mfaDevice").flatMap { $0.isEmpty ? nil : $0 }
    func none(_ why: String) -> TakeOverFinding { .none(.accessKey, name, from: place, why: why) }
    func found(_ credential: Credential?) -> TakeOverFinding {
      TakeOverFinding(kind: .accessKey, name: name, origin: place, offer: .accessKey(credential, mfaSerial: serial), note: note)
    }
    guard !stores.isDryRun else { return found(nil) }
    do throws(KeyStoreError) {
      let account = "\(id)-iam-user-aws-session-"
      guard let keyId = try await stores.keyring.password(service: "Leapp", account: account + "access-key-id"),
        let secret = try await stores.keyring.password(service: "Leapp", account: account + "secret-access-key")
      else { return none("the keyring has no key for it") }
      guard keyId.withBytes({ AccessKeyForm.isId($0) }), secret.withBytes({ AccessKeyForm.isSecret($0) }) else {
        return none("the access key is invalid")
      }
      return found(
        Credential(
          accessKeyId: keyId.withBytes { String(decoding: $0, as: UTF8.self) }, secretAccessKey: secret, sessionToken: nil,
          expiresAt: nil))
    } catch {
      return none(error.message)
    }
  }
}
