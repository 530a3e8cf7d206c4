import Glibc
import VaultDatabase
import VaultModel
import VaultWire

/// `login` and `logout`: IAM Identity Center.
enum LoginCommands {
  private static let options = [
    OptionSpec("device", "show a code that can be typed on any device, in place of coming back to this machine's browser"),
    OptionSpec("share-token", "keep the AWS CLI signed in too (~/.aws/sso/cache), until logout"),
    OptionSpec("adopt", "take over the sign-in that the AWS CLI has, while its token lives"),
    OptionSpec("no-browser", "show the address and open no browser"),
    OptionSpec("discover", "list every account and permission set, and make profiles of those that are chosen"),
    OptionSpec("saml-process", value: "COMMAND", "with --discover: the roles of the SAML assertion that the command prints"),
    OptionSpec("saml", "with --discover: the roles of the SAML assertion on standard input"),
    OptionSpec("all", "with --discover: make profiles of all of them"),
    OptionSpec(
      "template", value: "TEMPLATE", "with --discover: a profile's name, of {account}, {account-id}, {email} and {role}"),
    OptionSpec("region", short: "r", value: "REGION", "with --discover: the profiles' region"),
    OptionSpec("format", value: "FORMAT", "with --discover: table, json or csv; the list alone, no profile is made"),
  ]

  static let all = [
    Command("login", "[PROFILE | SSO-SESSION]", "sign in to IAM Identity Center", options: options, run: login),
    Command(
      "logout", "[SSO-SESSION]", "sign out, there and here", options: [OptionSpec("all", "of every place")], run: logout),
  ]

  private static func login(_ arguments: Arguments, _ paths: VaultPaths) throws {
    if arguments.has("discover") { return try DiscoverCommand.run(arguments, paths) }
    for name in ["all", "template", "region", "format", "saml", "saml-process"] where arguments.has(name) {
      throw Failure("--\(name) goes with --discover", exitStatus: .usage)
    }
    let writer = MessageWriter(.login)
    writer.add(.name, try arguments.single("sso-session", required: false) ?? Arguments.namedProfile)
    writer.add(.flow, flow(arguments))
    writer.add(.share, if: arguments.has("share-token"))
    writer.add(.adopt, if: arguments.has("adopt"))
    writer.add(.homeDirectory, variable("HOME"))
    ForwardedEnvironment.add(to: writer)
    let reply = try AgentClient(paths: paths, opensBrowser: !arguments.has("no-browser")).ask(writer)
    let until = Timestamp(iso8601: reply.text(.expiration) ?? "").map { TimeText.local($0, now: SystemClock().now()) } ?? "?"
    let how = reply.item("renewable") == nil ? "until \(until)" : "and stay so while IAM Identity Center allows it"
    Diagnostics.notice("you are signed in to \(reply.text(.name) ?? "?") \(how)")
  }

  /// The browser of this machine, where there is one that can come back to it.
  static func flow(_ arguments: Arguments) -> String {
    if arguments.has("device") { return "device" }
    // Somebody else's screen: its browser cannot reach this machine's loopback.
    if variable("SSH_CONNECTION") != nil { return "device" }
    if arguments.has("no-browser") { return "browser" }
    return Browser.isThere ? "browser" : "device"
  }

  private static func logout(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let name = try arguments.single("sso-session", required: false)
    guard name == nil || !arguments.has("all") else { throw Failure("either a name or --all", exitStatus: .usage) }
    let writer = MessageWriter(.logout)
    writer.add(.name, name)
    writer.add(.all, if: arguments.has("all"))
    ForwardedEnvironment.add(to: writer)
    switch try AgentClient(paths: paths).ask(writer).count {
    case 0: Diagnostics.notice("you were not signed in")
    case 1: Diagnostics.notice("you are signed out")
    case let count: Diagnostics.notice("you are signed out of \(count) places")
    }
  }
}
