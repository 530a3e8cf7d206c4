import AWSClient
import VaultModel
import VaultSecrets
import VaultStore

// Sign-ins that the vault shares with the AWS CLI.
extension SSOSessions {
  /// The setting that names the home directory for which a sign-in's token is written.
  private static func setting(_ name: String) -> String { "share-token.\(name)" }

  /// From now on, each access token of a sign-in is also written for the SDKs.
  func share(_ name: String, home: String, requester: Requester) async throws {
    try await store.setSetting(Self.setting(name), home, requester: requester)
    try await writeShared(name)
  }

  /// Writes the token of a shared sign-in; does nothing for another.
  func writeShared(_ name: String) async throws {
    guard let home = try await store.setting(Self.setting(name)), let kept = try await store.openSignIn(named: name) else {
      return
    }
    try TokenCache(home: home).write(kept.tokens.accessToken, kept.record)
  }

  /// Removes the shared token at the end of a sign-in.
  func unshare(_ name: String, requester: Requester) async throws {
    do {
      guard let home = try await store.setting(Self.setting(name)) else { return }
      TokenCache(home: home).remove(name)
    } catch RowError.setting {
      // The file belongs to another program: the vault has nothing there.
    }
    try await store.setSetting(Self.setting(name), nil, requester: requester)
  }

  /// Adopts the AWS CLI's sign-in for as long as its access token is valid.
  func adopt(_ place: SSOSessionConfig, home: String, _ context: NetworkTrust.Context) async throws -> SignInRecord {
    let file = try TokenCache(home: home).read(place.name)
    let cached: CachedToken
    do throws(CachedToken.Malformed) {
      cached = try CachedToken(file)
    } catch {
      throw SignInError.failed("the AWS CLI's token: \(error.what)")
    }
    guard cached.startURL == place.startURL, cached.region == place.region else {
      throw SignInError.failed("the AWS CLI's token is for \(cached.startURL) in \(cached.region)")
    }
    let life = cached.expiresAt.since(clock.now())
    guard life > 60_000 else { throw SignInError.failed("the AWS CLI's token has expired") }
    guard life <= SSOOIDCClient.maxLifetime * 1_000 else {
      throw SignInError.failed("the AWS CLI's token has an invalid expiration")
    }
    let record = SignInRecord(
      id: Identifier.make("sso"), name: place.name, startURL: place.startURL, region: place.region,
      scopes: place.scopes.joined(separator: " "), signedInAt: clock.now(), expiresAt: cached.expiresAt, isRenewable: false,
      clientEndsAt: cached.expiresAt)
    var event = AuditEvent(action: .tokenAdopted, outcome: .intent, trigger: context.trigger, requester: context.requester)
    event.detail = "\(place.name): the AWS CLI's"
    return try await audited(event, in: store) { event in
      event.expiresAt = record.expiresAt
      return record
    } keep: { id, record, event in
      let tokens = SignInTokens(
        accessToken: cached.accessToken, refreshToken: nil, clientId: "", clientSecret: SecretBytes(""), hosts: place.foreignHosts
      )
      try await store.complete(id, signIn: record, tokens: tokens, event: event)
    }
  }
}
