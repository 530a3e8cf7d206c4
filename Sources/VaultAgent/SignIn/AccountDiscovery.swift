import AWSClient
import VaultModel
import VaultSecrets

/// Lists every account and permission set of a sign-in, with several concurrent calls, fewer when AWS throttles.
struct AccountDiscovery: Sendable {
  struct Found: Sendable {
    let account: SSOAccount
    let roles: [String]
  }

  /// Maximum number of concurrent calls.
  static let maximum = 8
  /// How often an account is requested again after throttling has used up the retries of a call.
  static let timeouts = 6

  let portal: SSOPortalClient
  let clock: any WallClock
  var token: SecretBytes
  let endpoint: ServiceEndpoint
  let route: NetworkSettings

  func accounts(_ prompter: any Prompter) async throws -> [SSOAccount] {
    prompter.progress("asking for the accounts …")
    return try await portal.listAccounts(token: token, at: endpoint, via: route)
  }

  /// - Parameter report: called with each account as soon as its permission sets are known.
  func run(_ accounts: [SSOAccount], _ prompter: any Prompter, report: (Found) async throws -> Void) async throws {
    let concurrency = AdaptiveConcurrencyLimit(maximum: Self.maximum)
    try await withThrowingTaskGroup(of: Found.self) { group in
      var waiting = accounts.makeIterator()
      var underWay = 0
      var done = 0
      while true {
        while underWay < concurrency.current, let account = waiting.next() {
          group.addTask { Found(account: account, roles: try await roles(account.id, concurrency)) }
          underWay += 1
        }
        guard let found = try await group.next() else { return }
        underWay -= 1
        done += 1
        if done % 25 == 0 { prompter.progress("\(done) of \(accounts.count) accounts …") }
        try await report(found)
      }
    }
  }

  private func roles(_ account: String, _ concurrency: AdaptiveConcurrencyLimit) async throws -> [String] {
    var attempt = 0
    while true {
      do {
        let roles = try await portal.listAccountRoles(account: account, token: token, at: endpoint, via: route).sorted()
        concurrency.recover()
        return roles
      } catch let error as AWSError where error.exitStatus == .temporary && attempt < Self.timeouts {
        attempt += 1
        concurrency.slowDown()
        try await clock.sleep(until: clock.now().adding(milliseconds: Int64(attempt) * 500))
      }
    }
  }
}
