import CSystem
import Glibc
import VaultModel
import VaultWire

/// `vault exec`: requests the profile's credentials and becomes the command.
///
/// Only argument parsing, one round trip and the environment happen here, since this precedes every command a developer runs.
enum ExecCommand {
  static let command = Command(
    "exec", arguments: [.profile, ArgumentSpec("COMMAND", kind: .commandLine, isOptional: true, isRepeated: true)], topic: .use,
    summary: "run a command with the profile's credentials",
    note:
      """
      The command replaces vault: signals, job control and the exit status are its own. With --automation, vault stays above it and passes them \
      on; what the command and all that it starts get is read-only, unless the options of a scope say otherwise. Without a command, vault starts \
      your shell.
      """,
    examples: [
      Example("vault exec app-dev -- aws s3 ls", "run one command as app-dev's role"),
      Example("vault exec app-dev", "start a shell"),
      Example("vault exec --server app-dev -- ./run", "serve renewed credentials to a program that runs for long"),
      Example("vault exec --read-only app-dev -- ./report", "let the command only read"),
      Example("vault exec --automation claude app-dev -- ./run", "start a program that acts by itself, which may only read"),
    ],
    options: options, run: run)

  private static let options =
    [
      OptionSpec(
        "duration", short: "d", value: "TIME", kind: .time,
        "session duration (15m to 12h; at most 1h for a chained role, 36h for access keys)"),
      OptionSpec("min-remaining", value: "TIME", kind: .time, "start a new session unless the cached one is valid for this long"),
      OptionSpec("refresh", "always start a new session"),
      OptionSpec("no-session", "use the access keys themselves instead of a session"),
      OptionSpec("server", "serve renewed credentials on loopback instead of putting them in the environment"),
      OptionSpec("token-file", "like --server, with the token in a file to mount into a container"),
      OptionSpec(
        "automation", value: "NAME",
        "start a program that acts by itself: all that it starts may only read, and its rows have this name"),
      OptionSpec("region", short: "r", value: "REGION", kind: .region, "the region for the command"),
      OptionSpec("mfa-code", value: "CODE", "the code of the MFA device"),
      OptionSpec("session-name", value: "NAME", "the role session's name in CloudTrail"),
      OptionSpec("reason", value: "TEXT", "the reason, recorded in the audit log"),
    ] + ScopeOptions.all

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    var arguments = arguments
    if let word = arguments.unclearWord, isCommand(word, paths) { arguments.beginCommandAtUnclearWord() }
    let named = try arguments.source() ?? arguments.positional.first ?? Arguments.namedProfile ?? ProfilePicker.choose(paths)
    guard let profile = named, !profile.isEmpty else {
      throw Failure("missing argument: PROFILE", hint: "vault exec PROFILE -- COMMAND", exitStatus: .usage)
    }
    var client = AgentClient(paths: paths)
    client.commandIndex = arguments.commandIndex
    let request = try IssueRequest(arguments, profile: profile, trigger: isServed(arguments) ? .server : .exec)
    let automation = try arguments["automation"].map { name throws(Failure) in
      try AutomationRequest(name: name, credentials: request)
    }
    let reply = automation == nil ? try client.ask(request) : nil
    var command = Array(arguments.command)
    if command.isEmpty {
      command = [variable("SHELL").flatMap { $0.isEmpty ? nil : $0 } ?? "/bin/sh"]
      if isatty(2) == 1 { Diagnostics.notice("shell with the credentials of \(profile); `exit` ends it") }
    }
    if let automation { throw try AutomationRoot.become(command, automation, by: client) }
    throw ChildEnvironment(reply ?? IssuedReply(), profile: profile).become(command)
  }

  /// Whether the first word after `--` can only be the command, as in `vault exec -- ./run`: it can be run, and no profile has the
  /// name. Without a terminal, where nobody can choose, it is the profile in any case.
  private static func isCommand(_ word: String, _ paths: VaultPaths) -> Bool {
    guard ProfilePicker.isPossible, ChildEnvironment.candidates(word).contains(where: { access($0, X_OK) == 0 }) else {
      return false
    }
    return (try? ReportCommands.reader(paths).section(.profile, word)) == .some(nil)
  }

  /// Whether the command fetches its credentials from an endpoint instead of receiving them in its environment.
  static func isServed(_ arguments: Arguments) -> Bool { arguments.has("server") || arguments.has("token-file") }
}

extension IssueRequest {
  /// - Throws: usage, if an option's value is invalid; the agent is not asked then.
  init(_ arguments: Arguments, profile: String, trigger: AuditTrigger) throws(Failure) {
    func seconds(_ option: String) throws(Failure) -> Int? {
      guard let text = arguments[option] else { return nil }
      guard let seconds = SessionDuration.seconds(text) else {
        throw Failure("--\(option): \"\(text)\" is not a duration", hint: "for example 45m, 1h or 3600", exitStatus: .usage)
      }
      return seconds
    }
    self.init()
    self.profile = profile
    self.trigger = trigger
    if let seconds = try seconds("duration") {
      duration = SessionDuration(seconds: seconds, ofKeys: true)
      if duration == nil {
        throw Failure(
          "--duration: use 15m to 12h (900 to 43200 seconds); up to 36h for a session of access keys",
          exitStatus: .usage)
      }
    }
    minimumRemaining = try seconds("min-remaining")
    sessionName = arguments["session-name"].flatMap { RoleSessionName($0) }
    if let name = arguments["session-name"], sessionName == nil {
      throw Failure(
        "--session-name: invalid role session name \"\(name)\"", hint: "2 to 64 letters, digits or characters of _+=,.@-",
        exitStatus: .usage)
    }
    if let code = arguments["mfa-code"], code.utf8.count != 6 || !code.utf8.allSatisfy({ (48...57).contains($0) }) {
      throw Failure("--mfa-code: expected six digits", exitStatus: .usage)
    }
    if arguments.has("no-session"), ExecCommand.isServed(arguments) {
      throw Failure("--no-session and --server cannot be combined", hint: "omit one of them", exitStatus: .usage)
    }
    refresh = arguments.has("refresh")
    noSession = arguments.has("no-session")
    server = ExecCommand.isServed(arguments)
    tokenFile = arguments.has("token-file")
    region = arguments["region"]
    mfaCode = arguments["mfa-code"].map { WireBytes($0) }
    reason = try arguments.reason()
    let scope = try SessionScope(arguments)
    self.scope = scope.isEmpty ? nil : scope
    role = try arguments.role()
  }
}
