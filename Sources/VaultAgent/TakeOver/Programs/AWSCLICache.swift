import AWSClient
import VaultBytes
import VaultModel
import VaultSecrets
import VaultWire

/// The AWS CLI's caches: the sign-ins in `~/.aws/sso/cache`, which the vault can go on with, and temporary credentials, which it gets
/// itself.
struct AWSCLICache: TakeOverSource {
  func findings(_ stores: TheirStores) async throws -> [TakeOverFinding] {
    let folder = stores.path ?? stores.home + "/.aws/sso/cache"
    let files = try stores.names(in: folder)
    var findings = try (files ?? []).filter { $0.hasSuffix(".json") }.compactMap { try signIn(in: folder, $0, stores) }
    var caches = 0
    for (name, why) in [
      ("cli/cache", "the vault gets its own temporary credentials"),
      ("login/cache", "sessions of `aws login` are not supported"),
    ] where stores.path == nil {
      let cache = "\(stores.home)/.aws/\(name)"
      guard let entries = try stores.names(in: cache) else { continue }
      caches += 1
      findings += entries.filter { $0.hasSuffix(".json") }.map {
        .none(.session, String($0.dropLast(5)), from: stores.shown("\(cache)/\($0)"), why: why)
      }
    }
    guard files != nil || caches > 0 else {
      throw TakeOverError.nothing(
        program: TakeOverProgram.awsCLICache.rawValue, places: ["no folder \(stores.shown(folder))"])
    }
    return findings
  }

  /// - Returns: nil for the registration of a client, which is of no use without its sign-in.
  private func signIn(in folder: String, _ file: String, _ stores: TheirStores) throws -> TakeOverFinding? {
    let path = "\(folder)/\(file)"
    guard !file.hasPrefix("botocore-client-id-") else { return nil }
    let origin = stores.shown(path)
    // The file is named after the sso-session, or after the start URL.
    let place = stores.places.first { TokenCache.fileName($0.name) == file }
    func none(_ why: String) -> TakeOverFinding {
      .none(.signIn, place?.name ?? String(file.dropLast(5)), from: origin, why: why)
    }
    let token: CachedToken
    do {
      guard let text = try stores.read(path) else { return nil }
      guard let json = JSONDocument(text) else { return none("the file is not JSON") }
      // The SDKs keep registrations here too, under other names.
      guard json.has("accessToken") || json.has("startUrl") else { return nil }
      token = try CachedToken(text)
    } catch let fault as CachedToken.Malformed {
      return none(fault.what)
    } catch let error as TakeOverError {
      return none(error.message)
    }
    guard let place else {
      return .none(.signIn, token.startURL, from: origin, why: "no sso-session or profile in the vault signs in there")
    }
    guard token.startURL == place.startURL, token.region == place.region else {
      return none("it is for \(token.startURL) in \(token.region), not for \(place.startURL) in \(place.region)")
    }
    let canRenew = token.renewal.map { $0.client.expiresAt > stores.now } ?? false
    guard canRenew || token.expiresAt.since(stores.now) > 60_000 else {
      return none("it has expired; `vault login \(ShellText.word(place.name))`")
    }
    return TakeOverFinding(
      kind: .signIn, name: place.name, origin: origin, offer: .signIn(stores.isDryRun ? nil : token, place: place),
      note: canRenew
        ? "renewed by the vault from now on: the AWS CLI may have to sign in again"
        : "cannot be renewed; it ends at \(token.expiresAt.iso8601)")
  }
}
