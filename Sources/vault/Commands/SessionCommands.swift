import VaultModel
import VaultWire

/// `rotate` and `forget`: the commands that change sessions.
enum SessionCommands {
  static let all = [
    Command(
      "rotate", arguments: [ArgumentSpec("PROFILE", kind: .profile, alternative: "all", without: ArgumentSpec.chosenWithout)],
      topic: .sessions,
      summary: "replace sessions with new ones now",
      examples: [
        Example("vault rotate app-dev", "a new session for app-dev"),
        Example("vault rotate --all --reason incident", "new sessions for all, with the reason in the audit log"),
      ],
      options: [
        OptionSpec("all", "replace the session of every profile that has a valid one"),
        OptionSpec("mfa-code", value: "CODE", "the code of the MFA device"),
        OptionSpec("reason", value: "TEXT", "the reason, recorded in the audit log"),
      ], run: rotate),
    Command(
      "forget", arguments: [ArgumentSpec("PROFILE", kind: .profile, alternative: "all", without: ArgumentSpec.chosenWithout)],
      topic: .sessions,
      summary: "delete cached credentials",
      examples: [
        Example("vault forget app-dev", "delete the credentials of app-dev"),
        Example("vault forget --all", "delete all"),
      ],
      options: [OptionSpec("all", "delete the credentials of every profile")],
      run: forget),
    HoldersReport.command, RevokeCommand.command,
  ]

  private static func rotate(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let sessions = try AgentClient(paths: paths).ask(
      try RotateRequest {
        $0.profile = try target(arguments, paths)
        $0.mfaCode = arguments["mfa-code"].map { WireBytes($0) }
        $0.reason = try arguments.reason()
      })
    for one in sessions {
      if let id = one.sessionId {
        Diagnostics.notice(
          "\(one.profile): new session \(id), valid until \(TimeText.local(one.expiration, now: SystemClock().now()))")
      } else {
        Diagnostics.notice("\(one.profile): \(one.fault ?? "?")")
      }
    }
    if let status = sessions.lazy.compactMap(\.exitStatus).first {
      throw Failure("not every session could be renewed", exitStatus: status)
    }
  }

  private static func forget(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let profile = try target(arguments, paths)
    let count = try AgentClient(paths: paths).ask(ForgetRequest { ($0.profile, $0.all) = (profile, profile == nil) })
    Diagnostics.notice(count == 1 ? "one session forgotten" : "\(count) sessions forgotten")
  }

  /// The profile, or nil for `--all`; exactly one of them must be given.
  private static func target(_ arguments: Arguments, _ paths: VaultPaths) throws -> String? {
    let profile = arguments.has("all") ? try arguments.single("PROFILE", required: false) : try arguments.profile(paths)
    guard profile == nil || !arguments.has("all") else {
      throw Failure("a profile and --all cannot be combined", exitStatus: .usage)
    }
    return profile
  }
}
