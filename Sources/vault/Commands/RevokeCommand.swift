import VaultBytes
import VaultModel
import VaultWire

/// `vault revoke`: takes back what was handed out.
enum RevokeCommand {
  static let command = Command(
    "revoke", arguments: [ArgumentSpec("PROFILE", kind: .profile, isOptional: true)], topic: .sessions,
    summary: "take back what programs were given",
    note: """
      Its sessions end, its programs are served no more, its files are emptied, and a request under way gets nothing. A program has to be \
      started again to be served again. Keys that a program already holds work until they expire, unless AWS refuses them too: with --in-aws, \
      the role denies what was issued until now. That hits everybody who uses the role, and for --session, --automation and --process the \
      sessions of that name.
      """,
    examples: [
      Example("vault revoke app-dev", "nothing of app-dev is served or kept"),
      Example("vault revoke --all --reason 'laptop lost'", "everything, with the reason in the audit log"),
      Example("vault revoke --process 4242", "what was given to this process"),
      Example("vault revoke app-dev --in-aws --with admin", "and AWS refuses what its role issued until now"),
    ],
    options: [
      OptionSpec("session", value: "ID", "this session, by its ID or its access key ID"),
      OptionSpec("automation", value: "NAME", "what was given to the runs of this name"),
      OptionSpec(
        "process", value: "PID", "what was given to this process, or to the one above it from which it has its credentials"),
      OptionSpec("all", "everything"),
      OptionSpec("reason", value: "TEXT", "the reason, recorded in the audit log"),
      OptionSpec("in-aws", "have AWS refuse it too, by an inline policy of the role"),
      OptionSpec(
        "with", value: "PROFILE", kind: .profile, "with --in-aws: put the policy as this profile, such as an administrator's"),
      OptionSpec("print", "with --in-aws: only print the command that puts the policy, for whoever may"),
      OptionSpec("yes", "with --in-aws: do not ask before the policy is put"),
      OptionSpec("mfa-code", value: "CODE", "with --in-aws: the code of the MFA device"),
    ], run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let request = try request(arguments)
    var inAWS: RevokeInAWS?
    if arguments.has("in-aws") {
      inAWS = try RevokeInAWS(arguments, for: request, paths)
    } else if let option = ["with", "print", "yes", "mfa-code"].first(where: { arguments.has($0) }) {
      throw Failure("--\(option) goes with --in-aws", exitStatus: .usage)
    }
    // Printing is for somebody else, or for a look before: it takes nothing back.
    if let inAWS, inAWS.prints { return try inAWS.run() }
    var isRevoked = false
    do {
      // Here first: what is issued until AWS refuses it would be issued for nothing.
      report(try AgentClient(paths: paths).ask(request), of: request, isLast: inAWS == nil)
      isRevoked = true
    } catch {
      // Nothing is left here, but AWS may still accept what was.
      guard let inAWS, !inAWS.roles.isEmpty, Failure(error).exitStatus == .noInput else { throw error }
    }
    do { try inAWS?.run() } catch {
      if isRevoked {
        Diagnostics.notice("revoked here only; where AWS does not refuse them, keys that were given out stay valid")
      }
      throw error
    }
  }

  private static func request(_ arguments: Arguments) throws -> RevokeRequest {
    var request = RevokeRequest()
    request.profile = try arguments.single("PROFILE", required: false)
    request.session = arguments["session"]
    request.automation = arguments["automation"]
    request.pid = try arguments["process"].map { text throws(Failure) in
      guard let pid = Int32(text).map(Int.init), pid > 0 else {
        throw Failure("--process: \"\(text)\" is not a process ID", exitStatus: .usage)
      }
      return pid
    }
    request.all = arguments.has("all")
    request.reason = try arguments.reason()
    let targets = [
      request.profile != nil, request.session != nil, request.automation != nil, request.pid != nil, request.all,
    ].count { $0 }
    guard targets == 1 else {
      throw Failure(
        targets == 0 ? "nothing to revoke is named" : "only one thing can be revoked at a time",
        hint: "vault revoke PROFILE | --session ID | --automation NAME | --process PID | --all", exitStatus: .usage)
    }
    return request
  }

  private static func report(_ revoked: Revoked, of request: RevokeRequest, isLast: Bool) {
    var parts: [String] = []
    if revoked.sessions > 0 { parts.append(count(revoked.sessions, "session")) }
    if revoked.programs > 0 { parts.append(count(revoked.programs, "program") + " served no more") }
    if revoked.runs > 0 { parts.append(count(revoked.runs, "run")) }
    if revoked.requests > 0 { parts.append(count(revoked.requests, "request") + " under way") }
    Diagnostics.notice("revoked: " + (parts.isEmpty ? count(0, "session") : parts.joined(separator: ", ")))
    if let giver = revoked.pid, let asked = request.pid {
      let program = revoked.program.isEmpty ? "" : " (\(safeText(revoked.program)))"
      Diagnostics.notice("it was given to process \(giver)\(program), not to process \(asked) itself")
    }
    for file in revoked.files { Diagnostics.notice("emptied and unlinked: \(file)") }
    if isLast, let last = revoked.expiration {
      Diagnostics.notice(
        "keys that programs already hold work until \(TimeText.local(last, now: SystemClock().now())); `vault holders` shows them"
      )
    }
  }

  private static func count(_ number: Int, _ what: String) -> String { number == 1 ? "1 \(what)" : "\(number) \(what)s" }
}
