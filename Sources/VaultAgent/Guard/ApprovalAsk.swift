import VaultBytes
import VaultModel
import VaultSecrets

/// What a person is asked to agree to.
struct ApprovalAsk: Sendable {
  let profile: String
  let roleARN: String?
  let scope: SessionScope
  /// Nil if the source of the credentials decides how long they last.
  let duration: SessionDuration?
  let reason: String?
  let requester: Requester
  /// Seconds for which an agreement holds for the process tree that asks; nil if a person agrees each time.
  let remembered: Int?
  /// Why the credentials are requested.
  var trigger = AuditTrigger.exec
  var credentials = Credentials.session
  /// What the credentials come from (``IdentitySource/identifiers``): a profile's settings may change after somebody has agreed.
  var identity: [String?] = []
  /// The name that the requester wants for the session.
  var sessionName: String?

  /// What the requester gets.
  enum Credentials: String, Sendable {
    case session
    /// A page of the AWS console that is signed in.
    case console
    /// A long-lived access key.
    case accessKey = "access-key"

    /// Nil for a session, which is what is asked for in general.
    var words: String? {
      switch self {
      case .session: nil
      case .console: "a sign-in to the AWS console"
      case .accessKey: "the access key itself, which does not expire"
      }
    }
  }

  /// The longest value that is shown.
  private static let maxLength = 240
  /// The most programs above the requester that are shown.
  private static let maxParents = 6

  /// The question in one line.
  var title: String { "vault: allow \(Self.shown(profile))?" }

  /// What is asked, in all ways the same.
  var lines: [(name: String, value: String)] {
    let parents = requester.parents.prefix(Self.maxParents).map {
      "\($0.executable.isEmpty ? "unknown" : $0.executable) (\($0.pid))"
    }
    let more = requester.parents.count > Self.maxParents ? ", …" : ""
    let lines: [(String, String?)] = [
      ("program", "\(requester.shownProgram) (\(requester.pid))"),
      ("started by", parents.isEmpty ? nil : parents.joined(separator: ", ") + more),
      ("automation", requester.automation.map { "\($0.name) (\($0.run))" }),
      ("directory", requester.directory), ("profile", profile), ("role", roleARN),
      ("credentials", credentials.words), ("scope", scopeText), ("session name", sessionName),
      ("duration", durationText),
      ("reason", reason),
      ("holds for", remembered.map { "\(Self.text(seconds: $0)), for these processes" } ?? "this request"),
    ]
    return lines.compactMap { name, value in value.flatMap { $0.isEmpty ? nil : (name, Self.shown($0)) } }
  }

  private var durationText: String? {
    guard credentials != .accessKey else { return nil }
    return duration.map { Self.text(seconds: $0.seconds) } ?? "as the source of the credentials decides"
  }

  /// The lines as a text.
  var text: String { lines.map { "\($0.name): \($0.value)" }.joined(separator: "\n") }

  var scopeText: String? {
    var words = scope.policyWords.isEmpty ? [] : [scope.policyWords]
    words += scope.tags.map { "tag \($0.key)=\($0.value)" }
    if let identity = scope.sourceIdentity { words.append("source identity \(identity)") }
    return words.isEmpty ? nil : words.joined(separator: ", ")
  }

  static func text(seconds: Int) -> String {
    let (hours, minutes, rest) = (seconds / 3_600, seconds % 3_600 / 60, seconds % 60)
    let parts = [(hours, "h"), (minutes, "min"), (rest, "s")].filter { $0.0 > 0 }.map { "\($0.0) \($0.1)" }
    return parts.isEmpty ? "0 s" : parts.joined(separator: " ")
  }

  /// A value that says what it is at its beginning or its end, such as a path, loses its middle.
  private static func shown(_ value: String) -> String {
    let text = safeText(String(value.prefix(4 * maxLength)))
    guard text.count > maxLength else { return text }
    return "\(text.prefix(maxLength / 2)) … \(text.suffix(maxLength / 2))"
  }
}

extension ApprovalAsk {
  /// A row that says how the question ended.
  func event(_ action: AuditAction, _ outcome: AuditOutcome, detail: String) -> AuditEvent {
    var event = AuditEvent(action: action, outcome: outcome, trigger: trigger, profile: profile, requester: requester)
    event.roleARN = roleARN
    event.durationSeconds = duration?.seconds
    event.reason = reason
    event.scope = scope.shown
    event.detail = detail
    return event
  }
}
