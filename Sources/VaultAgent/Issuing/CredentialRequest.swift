import Synchronization
import VaultModel
import VaultSecrets
import VaultStore
import VaultWire

/// A client's request for a profile's credentials, read from its message.
package struct CredentialRequest: Sendable {
  package private(set) var profile: String
  private(set) var trigger: AuditTrigger
  private(set) var duration: SessionDuration?
  /// Seconds for which the session must still be valid; nil if any session that is not yet due will do.
  private(set) var minimumRemaining: Int?
  private(set) var refresh: Bool
  /// Serve the credentials on loopback for as long as the program runs.
  private(set) var server: Bool
  /// Put its token in a file.
  let tokenFile: Bool
  let region: String?
  private(set) var keyUse = KeyUse.session
  private(set) var sessionName: RoleSessionName?
  private(set) var reason: String?
  /// The code that came with the request: it answers any question for one.
  private(set) var mfaCode: SecretBytes?
  /// The profiles whose programs wait for this request, the outermost first.
  private(set) var chain: [String] = []
  /// The AWS variables of the client's environment.
  private(set) var environment: [String: String]

  /// - Parameter environment: the message's environment, if already read.
  /// - Throws: `AgentError.badRequest` for a request that the vault's client would not send.
  init(_ message: Message, environment known: [String: String]? = nil) throws(AgentError) {
    guard let profile = message.text(.profile), !profile.isEmpty else { throw .badRequest("no profile") }
    guard let trigger = AuditTrigger(rawValue: message.text(.trigger) ?? "") else { throw .badRequest("no trigger") }
    self.profile = profile
    self.trigger = trigger
    refresh = message.has(.refresh)
    server = message.has(.server)
    tokenFile = message.has(.tokenFile)
    region = message.text(.region)
    chain = message.text(.chain)?.split(separator: "\n").prefix(64).map(String.init) ?? []
    reason = message.text(.reason).map { String($0.prefix(1_024)) }
    keyUse = trigger == .console ? .console : message.has(.noSession) ? .themselves : .session
    environment = known ?? Self.environment(of: message)
    mfaCode = message.withBytes(.mfaCode) { SecretBytes(copying: $0) }
    if let seconds = message.number(.duration) {
      guard let asked = SessionDuration(seconds: seconds, ofKeys: true) else { throw .badRequest("a duration of \(seconds) s") }
      duration = asked
    } else {
      duration = nil
    }
    if let text = message.text(.sessionName) {
      guard let name = RoleSessionName(text) else { throw .badRequest("a session name that STS would refuse") }
      sessionName = name
    } else {
      sessionName = nil
    }
    if let seconds = message.number(.minimumRemaining) {
      guard (0...43_200).contains(seconds) else { throw .badRequest("--min-remaining of \(seconds) s") }
      minimumRemaining = seconds
    } else {
      minimumRemaining = nil
    }
  }

  /// The same request for a renewal by the agent.
  var forRenewal: CredentialRequest {
    var request = self
    request.trigger = .rotation
    request.chain = []
    request.refresh = false
    request.minimumRemaining = nil
    request.mfaCode = nil
    return request
  }

  /// The request to serve a program again, after a start or an unlock: it already has its endpoint and its token.
  var again: CredentialRequest {
    var request = self
    request.server = false
    request.chain = []
    request.refresh = false
    request.minimumRemaining = nil
    request.mfaCode = nil
    return request
  }

  /// The request of a program that an earlier agent served.
  init(_ lease: LeaseRecord) {
    self.init(rotating: lease.profile)
    trigger = .server
    server = true
    duration = lease.duration
    sessionName = lease.sessionName
    reason = lease.reason
    environment = lease.environment
  }

  /// A request by the agent itself, after a start.
  ///
  /// - Parameter environment: that of the request to an earlier agent.
  package init(rotating profile: String, in environment: [String: String] = [:]) {
    self.profile = profile
    trigger = .rotation
    refresh = false
    server = false
    tokenFile = false
    region = nil
    reason = nil
    self.environment = environment
    mfaCode = nil
    duration = nil
    sessionName = nil
    minimumRemaining = nil
  }

  /// The same request for another profile.
  func `for`(_ profile: String) -> CredentialRequest {
    var request = self
    request.profile = profile
    return request
  }

  /// The last environment, and the fields from which it was read: successive requests mostly have the same.
  private static let last = Mutex<(fields: [UInt8], environment: [String: String])>(([], [:]))

  /// `NAME=value` fields as a dictionary.
  static func environment(of message: Message) -> [String: String] {
    let known = last.withLock { message.holds($0.fields, in: .environment) ? $0.environment : nil }
    if let known { return known }
    let entries = message.texts(.environment)
    let environment = environment(of: entries)
    // A zero within a field would split it in two.
    if !entries.contains(where: { $0.utf8.contains(0) }) {
      var fields: [UInt8] = []
      for entry in entries { fields += Array(entry.utf8) + [0] }
      last.withLock { [fields] in $0 = (fields, environment) }
    }
    return environment
  }

  private static func environment(of entries: [String]) -> [String: String] {
    var environment: [String: String] = [:]
    for entry in entries {
      guard let equals = entry.utf8.firstIndex(of: UInt8(ascii: "=")), equals > entry.startIndex else { continue }
      environment[String(entry[..<equals])] = String(entry[entry.utf8.index(after: equals)...])
    }
    return environment
  }
}
