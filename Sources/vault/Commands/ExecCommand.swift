import CSystem
import Glibc
import VaultModel
import VaultWire

/// `vault exec`: requests the profile's credentials and becomes the command.
///
/// Only argument parsing, one round trip and the environment happen here, since this precedes every command a developer runs.
enum ExecCommand {
  static let options = [
    OptionSpec(
      "duration", short: "d", value: "TIME", "session duration (15m to 12h; at most 1h for a chained role, 36h for access keys)"),
    OptionSpec("min-remaining", value: "TIME", "start a new session unless the cached one is valid for this long"),
    OptionSpec("refresh", "always start a new session"),
    OptionSpec("no-session", "use the access keys themselves instead of a session"),
    OptionSpec("server", "serve renewed credentials on loopback instead of putting them in the environment"),
    OptionSpec("token-file", "like --server, with the token in a file to mount into a container"),
    OptionSpec("region", short: "r", value: "REGION", "the region for the command"),
    OptionSpec("mfa-code", value: "CODE", "the code of the MFA device"),
    OptionSpec("session-name", value: "NAME", "the role session's name in CloudTrail"),
    OptionSpec("reason", value: "TEXT", "the reason, recorded in the audit log"),
  ]

  static func run(_ words: [String], _ paths: VaultPaths) throws -> Never {
    let named = Arguments.namedProfile
    let arguments = try Arguments(words, from: 2, options: options, commandAfter: 1, isNamed: named != nil)
    guard let profile = arguments.positional.first ?? named, !profile.isEmpty else {
      throw Failure("missing argument: PROFILE", hint: "vault exec PROFILE -- COMMAND", exitStatus: .usage)
    }
    let request = try CredentialRequest(
      arguments, profile: profile, trigger: isServed(arguments) ? "server" : "exec")
    let reply = try AgentClient(paths: paths).ask(request.message())
    let command: [String]
    if let index = arguments.commandIndex {
      command = Array(words[index...])
    } else {
      command = [variable("SHELL").flatMap { $0.isEmpty ? nil : $0 } ?? "/bin/sh"]
      if isatty(2) == 1 { Diagnostics.notice("a shell with the credentials of \(profile); `exit` leaves it") }
    }
    let environment = ChildEnvironment(reply, profile: profile)
    throw environment.become(command)
  }

  /// Whether the command fetches its credentials from an endpoint instead of receiving them in its environment.
  static func isServed(_ arguments: Arguments) -> Bool { arguments.has("server") || arguments.has("token-file") }
}

/// A command's request for a profile's credentials.
struct CredentialRequest {
  let arguments: Arguments
  let profile: String
  let trigger: String

  /// - Throws: usage, if an option's value is invalid; the agent is not asked then.
  init(_ arguments: Arguments, profile: String, trigger: String) throws(Failure) {
    for name in ["duration", "min-remaining"] {
      guard let text = arguments[name] else { continue }
      guard let seconds = SessionDuration.seconds(text) else {
        throw Failure("--\(name): \"\(text)\" is not a duration", hint: "for example 45m, 1h or 3600", exitStatus: .usage)
      }
      if name == "duration", SessionDuration(seconds: seconds, ofKeys: true) == nil {
        throw Failure(
          "--duration: a session lives 15m to 12h (900 to 43200 seconds), one of access keys themselves to 36h",
          exitStatus: .usage)
      }
    }
    if let name = arguments["session-name"], RoleSessionName(name) == nil {
      throw Failure(
        "--session-name: \"\(name)\" is no role session name", hint: "2 to 64 letters, digits or characters of _+=,.@-",
        exitStatus: .usage)
    }
    if let code = arguments["mfa-code"], code.utf8.count != 6 || !code.utf8.allSatisfy({ (48...57).contains($0) }) {
      throw Failure("--mfa-code: a code has six digits", exitStatus: .usage)
    }
    if arguments.has("no-session"), ExecCommand.isServed(arguments) {
      throw Failure("--no-session: what is served is a session", hint: "leave one of the two out", exitStatus: .usage)
    }
    self.arguments = arguments
    self.profile = profile
    self.trigger = trigger
  }

  func message(_ kind: MessageKind = .credential) -> MessageWriter {
    let writer = MessageWriter(kind)
    writer.add(.profile, profile)
    writer.add(.trigger, trigger)
    writer.add(.duration, arguments["duration"].flatMap { SessionDuration.seconds($0) }.map { String($0) })
    writer.add(.minimumRemaining, arguments["min-remaining"].flatMap { SessionDuration.seconds($0) }.map { String($0) })
    writer.add(.refresh, if: arguments.has("refresh"))
    writer.add(.noSession, if: arguments.has("no-session"))
    writer.add(.server, if: ExecCommand.isServed(arguments))
    writer.add(.tokenFile, if: arguments.has("token-file"))
    writer.add(.region, arguments["region"])
    writer.add(.mfaCode, arguments["mfa-code"])
    writer.add(.sessionName, arguments["session-name"])
    writer.add(.reason, arguments["reason"])
    writer.add(.commandIndex, arguments.commandIndex.map { String($0) })
    ForwardedEnvironment.add(to: writer)
    return writer
  }
}
