import VaultBytes
import VaultModel
import VaultWire

/// `vault status`: whose credentials this environment has, and for how long. It asks nobody, so a shell's prompt may call it each
/// time.
enum StatusCommand {
  static let command = Command(
    "status", topic: .sessions,
    summary: "show the credentials in this environment and when they expire",
    examples: [
      Example("vault status", "what this shell has"),
      Example("vault status --format prompt", "the same for a shell's prompt"),
    ],
    options: [
      OptionSpec(
        "format", value: "FORMAT", kind: .words(["table", "json", "prompt"]), "table, json, or prompt (short, for a shell prompt)"
      )
    ], run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    let format = arguments["format"] ?? "table"
    guard ["table", "json", "prompt"].contains(format) else {
      throw Failure("no format \"\(format)\"", hint: "table, json or prompt", exitStatus: .usage)
    }
    let profile = variable("VAULT_PROFILE").flatMap { $0.isEmpty ? nil : $0 }
    let isServed = variable("AWS_CONTAINER_CREDENTIALS_FULL_URI") != nil
    let end = variable("AWS_CREDENTIAL_EXPIRATION").flatMap { Timestamp(iso8601: $0) }
    let now = SystemClock().now()
    var output = Output()
    switch format {
    case "json":
      var writer = JSONWriter()
      writer.object { writer in
        writer.field("profile", profile)
        writer.field("served", profile != nil && isServed)
        writer.field("expiresAt", end?.iso8601)
        writer.field("secondsLeft", end.map { max(0, $0.since(now) / 1_000) })
      }
      output.write(bytes: writer.consume())
      output.write("\n")
    case "prompt":
      if let profile { output.line(safeText(profile) + (isServed ? "" : " " + left(end, now))) }
    default:
      guard let profile else {
        Diagnostics.notice("no vault credentials in this environment; `vault exec PROFILE` starts a shell with some")
        break
      }
      output.words(profile + (isServed ? ", served: renewed automatically" : ", " + left(end, now)))
    }
    // A prompt or a program does not ask the agent; a user may want to know this too.
    if format == "table", let next = try? AgentClient(paths: paths).askRunning(.status)?.locks {
      output.words("the vault will be locked at " + next)
    }
    output.flush()
  }

  private static func left(_ end: Timestamp?, _ now: Timestamp) -> String {
    guard let end else { return "no expiration" }
    return end > now ? TimeText.length(seconds: end.since(now) / 1_000) : "over"
  }
}
