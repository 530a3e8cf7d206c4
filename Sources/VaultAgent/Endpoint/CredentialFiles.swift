import AWSConfig
import VaultModel
import VaultSecrets
import VaultStore

/// Credentials files with the current keys of profiles, for programs that read nothing else.
///
/// Only marked lines of ours are touched; what stands there is taken out at unlinking, at a lock, and when the agent ends. A file that
/// cannot be written now is tried again, and nothing else waits for it.
actor CredentialFiles {
  /// Seconds between two tries to write a file.
  static let pause: Int64 = 30
  private let clock: any WallClock
  private var open: [String: CredentialsLink] = [:]
  /// How each was linked, through a lock as well: an endpoint may be known from the environment of that command alone.
  private var requests: [String: CredentialRequest] = [:]
  /// That stands beside the keys, since who takes a profile from the file alone has no other.
  private var regions: [String: String] = [:]
  /// What could not be written yet; the newest only, so that a late try never puts an older session in the place of a newer one.
  private var unwritten: [String: Credential] = [:]
  /// Whose keys could not be taken out yet.
  private var leaving: Set<CredentialsLink> = []

  init(clock: any WallClock) { self.clock = clock }

  /// The schedule's name for what a link wants.
  static func lease(_ link: CredentialsLink) -> String { "file:\(link.path)\n\(link.section)" }

  func has(_ lease: String) -> Bool { open[lease] != nil }

  /// How a link's keys are asked for when nobody waits for them; nil where an agent before this one knew it.
  func request(_ link: CredentialsLink) -> CredentialRequest? { requests[Self.lease(link)]?.for(link.profile) }

  /// Writes a new link's keys.
  ///
  /// - Throws: why the file cannot be written, or that it has a section of that name which is not ours.
  func add(_ link: CredentialsLink, _ credential: Credential, region: String?, _ request: CredentialRequest) throws {
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

  /// Makes room for a link whose keys are yet to come, unless it has some; ``forget(_:)`` and ``clear(_:)`` take it away again.
  func expect(_ link: CredentialsLink) -> Bool {
    let isNew = open[Self.lease(link)] == nil
    open[Self.lease(link)] = link
    return isNew
  }

  /// Writes the first keys after a start or an unlocking, if the link is still there.
  func fill(_ link: CredentialsLink, _ credential: Credential, region: String?) {
    regions[Self.lease(link)] = region
    update(Self.lease(link), credential)
  }

  /// Writes the keys that are a link's from now on, if it is still there.
  func update(_ lease: String, _ credential: Credential) {
    guard let link = open[lease] else { return }
    let isWaiting = unwritten.removeValue(forKey: lease) != nil
    do {
      try write(link, credential)
    } catch {
      AgentLog.write("\(link.path): \(Failure(error).message)")
      unwritten[lease] = credential
      if !isWaiting { tryAgain(lease) }
    }
  }

  private func tryAgain(_ lease: String) {
    // Awaited by nobody: it ends by itself.
    Task(executorPreference: AgentExecutor.current) { [clock] in
      try? await clock.sleep(until: clock.now().adding(seconds: Self.pause))
      await self.again(lease)
    }
  }

  private func again(_ lease: String) {
    guard let credential = unwritten.removeValue(forKey: lease), let end = credential.expiresAt, end > clock.now() else { return }
    update(lease, credential)
  }

  /// Takes a link's keys out of its file for good.
  func forget(_ link: CredentialsLink) throws {
    try remove(link)
    requests[Self.lease(link)] = nil
    regions[Self.lease(link)] = nil
  }

  /// Takes a link's keys out of its file.
  private func remove(_ link: CredentialsLink) throws {
    open[Self.lease(link)] = nil
    unwritten[Self.lease(link)] = nil
    try takeOut(link)
  }

  /// Takes a link's keys out of its file until there are others; the link stays.
  func empty(_ lease: String) {
    unwritten[lease] = nil
    if let link = open[lease] { clear(link) }
  }

  /// Takes a link's keys out of its file; what fails is tried again until it does not.
  private func clear(_ link: CredentialsLink) {
    do { try takeOut(link) } catch {
      AgentLog.write("\(link.path): \(Failure(error).message)")
      guard leaving.insert(link).inserted else { return }
      // Awaited by nobody: it ends by itself.
      Task(executorPreference: AgentExecutor.current) { await self.clearLater(link) }
    }
  }

  private func clearLater(_ link: CredentialsLink) async {
    var pause: Int64 = 1
    // Until new keys take the place of the old ones.
    while leaving.contains(link) {
      try? await clock.sleep(until: clock.now().adding(seconds: pause))
      pause = min(2 * pause, Self.pause)
      if leaving.contains(link) { try? takeOut(link) }
    }
  }

  private func takeOut(_ link: CredentialsLink) throws {
    try EditedFile(path: link.path, isPrivate: true).edit(evenReadOnly: true) { before in
      var blocks = MarkedBlocks(before)
      guard blocks.names.contains(link.section) else { return nil }
      blocks.remove(link.section)
      return blocks.bytes
    }
    leaving.remove(link)
  }

  /// Takes all keys out of their files.
  ///
  /// - Parameter links: those that an agent before this one may have left, too.
  /// - Returns: the schedule's names of those that were open.
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
          "\(link.path) has a section \(header) of its own", hint: "link under another name with --prefix",
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
