import AWSConfig
import VaultModel
import VaultSecrets
import VaultStore

/// Credentials files with the current keys of profiles, for programs that read nothing else.
///
/// Only lines that the vault has marked are changed. Keys are removed on unlinking, on locking and when the agent ends. A file that
/// cannot be written is retried, and nothing else waits for it.
actor CredentialFiles {
  /// Seconds between two attempts to write a file.
  static let delay: Int64 = 30
  private let clock: any WallClock
  private var open: [String: CredentialsLink] = [:]
  /// The request that made each link, kept through a lock: an endpoint may be known only from the environment of that command.
  private var requests: [String: CredentialRequest] = [:]
  /// Written next to the keys, since a program that takes a profile from the file alone has no other region.
  private var regions: [String: String] = [:]
  /// Keys that are not written yet. Only the newest are kept, so that a late attempt never replaces a newer session with an older
  /// one.
  private var unwritten: [String: (credential: Credential, permit: Withdrawals.Permit)] = [:]
  /// Links whose keys are not removed yet.
  private var leaving: Set<CredentialsLink> = []

  init(clock: any WallClock) { self.clock = clock }

  /// The schedule's name for a link.
  static func lease(_ link: CredentialsLink) -> String { "file:\(link.path)\n\(link.section)" }

  func has(_ lease: String) -> Bool { open[lease] != nil }

  /// A request as its link has it, which a guard rule may have narrowed since; nil if the link is for another profile now.
  func linked(_ lease: String, _ request: CredentialRequest) -> CredentialRequest? {
    open[lease].flatMap { $0.profile == request.profile ? request.scoped($0.scope) : nil }
  }

  /// The request for a link's keys when nobody waits for them; nil if the link was made under an earlier agent.
  func request(_ link: CredentialsLink) -> CredentialRequest? { requests[Self.lease(link)]?.for(link.profile) }

  /// Writes a new link's keys.
  ///
  /// - Throws: if the file cannot be written, or has a section of that name that the vault did not write.
  func add(
    _ link: CredentialsLink, _ credential: Credential, permit: Withdrawals.Permit, region: String?, request: CredentialRequest
  ) throws {
    try permit.require(for: link.profile)
    let lease = Self.lease(link)
    let before = regions[lease]
    regions[lease] = region
    do { try write(link, credential) } catch {
      regions[lease] = before
      throw error
    }
    requests[lease] = request.forRenewal
    open[lease] = link
  }

  /// Reserves a place for a link whose keys are still to come, unless it has keys; ``forget(_:)`` and ``clear(_:)`` remove it
  /// again.
  func expect(_ link: CredentialsLink) -> Bool {
    let isNew = open[Self.lease(link)] == nil
    open[Self.lease(link)] = link
    return isNew
  }

  /// Writes the first keys after a start or an unlock, if the link still exists.
  func fill(_ link: CredentialsLink, _ credential: Credential, permit: Withdrawals.Permit, region: String?) {
    regions[Self.lease(link)] = region
    update(Self.lease(link), credential, permit: permit)
  }

  /// Writes a link's new keys, if the link still exists.
  func update(_ lease: String, _ credential: Credential, permit: Withdrawals.Permit) {
    // What was taken back on its way is not written, nor does it replace what was.
    guard let link = open[lease], permit.isValid else { return }
    let isWaiting = unwritten.removeValue(forKey: lease) != nil
    do {
      try write(link, credential)
    } catch {
      AgentLog.write("\(link.path): \(Failure(error).message)")
      unwritten[lease] = (credential, permit)
      if !isWaiting { tryAgain(lease) }
    }
  }

  private func tryAgain(_ lease: String) {
    // Not awaited: it ends by itself.
    Task(executorPreference: AgentExecutor.current) { [clock] in
      try? await clock.sleep(until: clock.now().adding(seconds: Self.delay))
      await self.again(lease)
    }
  }

  private func again(_ lease: String) {
    guard let late = unwritten.removeValue(forKey: lease), let end = late.credential.expiresAt, end > clock.now() else { return }
    update(lease, late.credential, permit: late.permit)
  }

  /// Removes a link's keys from its file for good.
  func forget(_ link: CredentialsLink) throws {
    try remove(link)
    requests[Self.lease(link)] = nil
    regions[Self.lease(link)] = nil
  }

  /// Removes a link's keys from its file.
  private func remove(_ link: CredentialsLink) throws {
    open[Self.lease(link)] = nil
    unwritten[Self.lease(link)] = nil
    try removeKeys(link)
  }

  /// Removes a link's keys from its file until there are new ones; the link stays.
  func empty(_ lease: String) {
    unwritten[lease] = nil
    if let link = open[lease] { clear(link) }
  }

  /// Removes a link's keys from its file, and retries until that succeeds.
  private func clear(_ link: CredentialsLink) {
    do { try removeKeys(link) } catch {
      AgentLog.write("\(link.path): \(Failure(error).message)")
      guard leaving.insert(link).inserted else { return }
      // Not awaited: it ends by itself.
      Task(executorPreference: AgentExecutor.current) { await self.clearLater(link) }
    }
  }

  private func clearLater(_ link: CredentialsLink) async {
    var delay: Int64 = 1
    // Until new keys replace the old ones.
    while leaving.contains(link) {
      try? await clock.sleep(until: clock.now().adding(seconds: delay))
      delay = min(2 * delay, Self.delay)
      if leaving.contains(link) { try? removeKeys(link) }
    }
  }

  private func removeKeys(_ link: CredentialsLink) throws {
    try EditedFile(path: link.path, isPrivate: true).edit(evenReadOnly: true) { before in
      var blocks = MarkedBlocks(before)
      guard blocks.names.contains(link.section) else { return nil }
      blocks.remove(link.section)
      return blocks.bytes
    }
    leaving.remove(link)
  }

  /// Removes all keys from their files.
  ///
  /// - Parameter links: links whose keys an earlier agent may have left behind.
  /// - Returns: the schedule's names of the links that were open.
  func clear(_ links: [CredentialsLink] = []) -> [String] {
    let leases = Array(open.keys)
    for link in Set(links + open.values) {
      open[Self.lease(link)] = nil
      unwritten[Self.lease(link)] = nil
      clear(link)
    }
    return leases
  }

  private func write(_ link: CredentialsLink, _ credential: Credential) throws {
    let header = "[\(link.section)]"
    try EditedFile(path: link.path, isPrivate: true).edit { before in
      var others = MarkedBlocks(before)
      others.remove(link.section)
      let lines = others.bytes.split(separator: 0x0A)
      guard !lines.contains(where: { $0.starts(with: header.utf8) }) else {
        throw Failure(
          "\(link.path) already has a section \(header)", hint: "choose another name with --prefix",
          exitStatus: .cannotCreate)
      }
      var blocks = MarkedBlocks(before)
      var text = header + "\n"
      if let region = regions[Self.lease(link)] { text += "region = \(region)\n" }
      text += "aws_access_key_id = \(credential.accessKeyId)\naws_secret_access_key = "
      text += credential.secretAccessKey.withBytes { String(decoding: $0, as: UTF8.self) }
      if let token = credential.sessionToken {
        text += "\naws_session_token = " + token.withBytes { String(decoding: $0, as: UTF8.self) }
      }
      if let end = credential.expiresAt { text += "\n# until \(end.iso8601)" }
      blocks.put(link.section, text + "\n")
      return blocks.bytes
    }
    leaving.remove(link)
  }
}
