import Glibc
import VaultModel
import VaultWire

/// `vault console`: opens the AWS console in a browser, signed in as a profile.
enum ConsoleCommand {
  static let command = Command(
    "console", arguments: [.profile], topic: .use,
    summary: "open the AWS console, signed in as the role",
    examples: [
      Example("vault console app-dev", "open the console's home page"),
      Example("vault console app-dev --service s3", "open S3"),
      Example("vault console app-dev --print", "show the URL instead"),
    ],
    options: [
      OptionSpec("service", short: "s", value: "SERVICE", "the service to open, such as s3"),
      OptionSpec("region", short: "r", value: "REGION", kind: .region, "the region"),
      OptionSpec("print", short: "p", "print the URL (secret, valid for 15 minutes) instead of opening a browser"),
      OptionSpec("browser", value: "COMMAND", kind: .program, "the browser to use (default: BROWSER, or xdg-open)"),
      OptionSpec("mfa-code", value: "CODE", "the code of the MFA device"),
      OptionSpec("reason", value: "TEXT", "the reason, recorded in the audit log"),
    ] + ScopeOptions.all, run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let profile = try arguments.profile(paths)
    if let service = arguments["service"] {
      guard (1...64).contains(service.utf8.count),
        service.utf8.allSatisfy({ (97...122).contains($0 | 0x20) || (48...57).contains($0) || $0 == 0x2D || $0 == 0x2F })
      else { throw Failure("--service: \"\(service)\" is not a service name", hint: "for example s3 or ec2", exitStatus: .usage) }
    }
    let prints = arguments.has("print")
    if let browser = arguments["browser"] { setenv("BROWSER", browser, 1) }
    if !prints, !Browser.isThere {
      throw Failure("no browser found", hint: "use --print to print the address and open it elsewhere", exitStatus: .unavailable)
    }
    let request = try ConsoleRequest {
      $0.credentials = try IssueRequest(arguments, profile: profile, trigger: .console)
      ($0.service, $0.once) = (arguments["service"], !prints)
    }
    let url = try AgentClient(paths: paths).ask(request).withBytes { String(decoding: $0, as: UTF8.self) }
    if prints {
      var output = Output()
      output.line(url)
      output.flush()
      return
    }
    guard Browser.open(url) else {
      throw Failure(
        variable("BROWSER").map { "cannot start the browser \"\($0)\"" } ?? "cannot start a browser",
        hint: "choose another with --browser or BROWSER, or print the address with --print", exitStatus: .unavailable)
    }
    Diagnostics.notice("your browser has opened the console as \(profile)")
  }
}
