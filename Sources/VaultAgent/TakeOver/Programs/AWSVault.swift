import VaultModel
import VaultWire

/// aws-vault: its profiles are those of `~/.aws/config`, its access keys are in the stores of the library `keyring`.
struct AWSVault: TakeOverSource {
  func findings(_ stores: TheirStores) async throws -> [TakeOverFinding] {
    let folder = stores.path ?? stores.variable("AWS_VAULT_FILE_DIR") ?? "~/.awsvault/keys"
    let library = KeyringLibrary(
      program: TakeOverProgram.awsVault.rawValue, folder: stores.absolute(folder),
      collection: stores.variable("AWS_VAULT_SECRET_SERVICE_COLLECTION_NAME") ?? "awsvault",
      passphraseVariable: "AWS_VAULT_FILE_PASSPHRASE", backend: stores.path == nil ? stores.variable("AWS_VAULT_BACKEND") : "file"
    )
    let entries = try await library.entries(stores) { !Self.isSession($0) }
    return entries.map { entry in
      if Self.isSession(entry.name) {
        return .none(
          .session, Self.shownSession(entry.name), from: entry.origin, why: "the vault gets its own sessions")
      }
      return entry.accessKey(note: Self.note(stores.sections.first { $0.kind == .profile && $0.name == entry.name }))
    }
  }

  /// aws-vault assumes a profile's role with the key of the same name; the SDKs and the vault want a source.
  private static func note(_ profile: ConfigSection?) -> String? {
    guard let profile, profile["role_arn"] != nil,
      !["source_profile", "credential_source", "web_identity_token_file", "web_identity_token_process"].contains(where: {
        profile[$0] != nil
      })
    else { return nil }
    return "add source_profile = \(profile.name) to its profile, which assumes a role"
  }

  /// Whether an item holds a temporary session or the token of a sign-in, by its name: `TYPE,PROFILE,SERIAL,EXPIRATION` with
  /// encoded parts, the forms of older versions, and `oidc:URL`.
  static func isSession(_ name: String) -> Bool {
    if name.hasPrefix("oidc:") || name.hasPrefix("session:") { return true }
    if name.hasSuffix(")"), let open = name.lastIndex(of: "("), name[..<open].hasSuffix(" session "),
      name[open...].dropFirst().dropLast().isNumber
    {
      return true
    }
    let parts = name.split(separator: ",", omittingEmptySubsequences: false)
    guard parts.count == 4, !parts[0].isEmpty, !parts[1].isEmpty, parts[3].isNumber else { return false }
    return parts[0] == "session" || parts[1...2].allSatisfy { $0.utf8.allSatisfy(Self.isBase64URL) }
  }

  private static func isBase64URL(_ byte: UInt8) -> Bool {
    (97...122).contains(byte) || (65...90).contains(byte) || (48...57).contains(byte) || byte == 0x2D || byte == 0x5F
  }

  private static func shownSession(_ name: String) -> String {
    name.hasPrefix("oidc:") ? String(name.dropFirst(5)) : String(name.prefix { $0 != "," })
  }
}

extension Substring {
  fileprivate var isNumber: Bool { !isEmpty && utf8.allSatisfy { (48...57).contains($0) } }
}
