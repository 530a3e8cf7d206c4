import VaultModel
import VaultWire

/// `rotate` and `forget`: the commands that change sessions.
enum SessionCommands {
  static let all = [
    Command(
      "rotate", "PROFILE | --all", "replace sessions with new ones now",
      options: [
        OptionSpec("all", "replace the session of every profile that has a valid one"),
        OptionSpec("mfa-code", value: "CODE", "the code of the MFA device"),
        OptionSpec("reason", value: "TEXT", "the reason, recorded in the audit log"),
      ], run: rotate),
    Command(
      "forget", "PROFILE | --all", "delete cached credentials",
      options: [OptionSpec("all", "delete the credentials of every profile")],
      run: forget),
  ]

  private static func rotate(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let profile = try target(arguments)
    let writer = MessageWriter(.rotate)
    writer.add(.profile, profile ?? "*")
    writer.add(.all, if: profile == nil)
    writer.add(.trigger, "manual")
    writer.add(.mfaCode, arguments["mfa-code"])
    writer.add(.reason, arguments["reason"])
    ForwardedEnvironment.add(to: writer)
    let reply = try AgentClient(paths: paths).ask(writer)
    for line in reply.texts(.item) {
      let parts = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
      guard parts.count == 3 else { continue }
      if parts[1].isEmpty {
        Diagnostics.notice("\(parts[0]): \(parts[2])")
      } else {
        Diagnostics.notice(
          "\(parts[0]): a new session \(parts[1]), until \(TimeText.local(Timestamp(iso8601: parts[2]), now: SystemClock().now()))"
        )
      }
    }
    if let status = reply.number(.exitStatus), status != 0 {
      throw Failure("not every session could be renewed", exitStatus: ExitStatus(rawValue: Int32(status)) ?? .unavailable)
    }
  }

  private static func forget(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let profile = try target(arguments)
    let writer = MessageWriter(.forget)
    writer.add(.profile, profile)
    writer.add(.all, if: profile == nil)
    let count = try AgentClient(paths: paths).ask(writer).count
    Diagnostics.notice(count == 1 ? "one session forgotten" : "\(count) sessions forgotten")
  }

  /// The profile, or nil for `--all`; exactly one of them must be given.
  private static func target(_ arguments: Arguments) throws(Failure) -> String? {
    let profile = arguments.has("all") ? try arguments.single("PROFILE", required: false) : try arguments.profile()
    guard profile == nil || !arguments.has("all") else { throw Failure("either a profile or --all", exitStatus: .usage) }
    return profile
  }
}

extension Message {
  /// The values of `label TAB value` items.
  func item(_ label: String) -> String? {
    texts(.item).first { $0.hasPrefix(label + "\t") }.map { String($0.dropFirst(label.count + 1)) }
  }

  var count: Int { item("count").flatMap { Int($0) } ?? 0 }
}
