import Glibc
import VaultDatabase
import VaultModel
import VaultWire

/// `login` and `logout`: IAM Identity Center.
enum LoginCommands {
  private static let options = [
    OptionSpec(
      "sso-region", value: "REGION", kind: .region,
      "with a URL: the region of IAM Identity Center, if the URL does not contain it"),
    OptionSpec("device", "show a code to enter on any device instead of using this machine's browser"),
    OptionSpec("share-token", "also keep the AWS CLI signed in (~/.aws/sso/cache) until logout"),
    OptionSpec("adopt", "use the AWS CLI's sign-in while its token is valid"),
    OptionSpec("no-browser", "show the URL without opening a browser"),
    OptionSpec("discover", "list all accounts and permission sets, and create profiles for the ones you choose"),
    OptionSpec(
      "saml-process", value: "COMMAND", kind: .program,
      "with --discover: list the roles in the SAML assertion that COMMAND prints"),
    OptionSpec("saml", "with --discover: list the roles in the SAML assertion on standard input"),
    OptionSpec("all", "with --discover: create profiles for all of them"),
    OptionSpec(
      "template", value: "TEMPLATE", "with --discover: how to name profiles, with {account}, {account-id}, {email} and {role}"),
    OptionSpec("region", short: "r", value: "REGION", kind: .region, "with --discover: the profiles' region"),
    OptionSpec(
      "format", value: "FORMAT", kind: .words(["table", "json", "csv"]),
      "with --discover: table, json or csv; list only, create no profiles"),
  ]

  static let all = [
    Command(
      "login", arguments: [ArgumentSpec("PROFILE | SSO-SESSION | URL", kind: .oneOf([.ssoSession, .profile]), isOptional: true)],
      topic: .setUp,
      summary: "sign in to IAM Identity Center",
      examples: [
        Example("vault login https://corp.awsapps.com/start", "sign in for the first time, and choose profiles"),
        Example("vault login corp", "sign in to the sso-session corp"),
        Example("vault login corp --discover", "and choose among the accounts and roles there"),
      ], options: options, run: login),
    Command(
      "logout", arguments: [ArgumentSpec("SSO-SESSION", kind: .ssoSession, isOptional: true)], topic: .setUp,
      summary: "sign out of IAM Identity Center and drop its sessions",
      examples: [
        Example("vault logout corp", "sign out of corp"),
        Example("vault logout --all", "sign out of all"),
      ],
      options: [OptionSpec("all", "sign out of every SSO session")], run: logout),
  ]

  private static func login(_ arguments: Arguments, _ paths: VaultPaths) throws {
    if let typed = arguments.positional.first, arguments.positional.count == 1, let url = URLSignIn.url(typed),
      try !isKnown(typed, paths)
    {
      return try URLSignIn.run(url: url, arguments, paths)
    }
    if arguments.has("sso-region") { throw Failure("--sso-region requires a URL", exitStatus: .usage) }
    if arguments.has("discover") { return try DiscoverCommand.run(arguments, paths) }
    for name in ["all", "template", "region", "format", "saml", "saml-process"] where arguments.has(name) {
      throw Failure("--\(name) requires --discover", exitStatus: .usage)
    }
    try signIn(
      to: try arguments.single("SSO-SESSION", required: false) ?? Arguments.namedProfile, isFirst: false, arguments, paths)
  }

  /// Whether it is a name. A profile of the older form, which sets its start URL itself, is signed in by that URL.
  private static func isKnown(_ url: String, _ paths: VaultPaths) throws -> Bool {
    let reader = try VaultReader(path: paths.database)
    if try reader.signInNames().contains(url) { return true }
    return try reader.section(.profile, url) != nil
  }

  /// - Parameter isFirst: whether the `sso-session` was made for this sign-in.
  static func signIn(to name: String?, isFirst: Bool, _ arguments: Arguments, _ paths: VaultPaths) throws {
    let reply = try AgentClient(paths: paths, opensBrowser: !arguments.has("no-browser")).ask(
      LoginRequest {
        $0.name = name
        ($0.flow, $0.share, $0.adopt) = (flow(arguments), arguments.has("share-token"), arguments.has("adopt"))
        ($0.home, $0.isFirst) = (variable("HOME"), isFirst)
      })
    let how =
      reply.isRenewable
      ? "renewed automatically while IAM Identity Center allows it"
      : "until \(TimeText.local(reply.expiration, now: SystemClock().now()))"
    Diagnostics.notice("signed in to \(reply.name), \(how)")
  }

  /// The browser of this machine, if there is one that can reach its loopback.
  static func flow(_ arguments: Arguments) -> SignInFlow {
    if arguments.has("device") { return .device }
    // The user is at another machine, whose browser cannot reach this machine's loopback.
    if variable("SSH_CONNECTION") != nil { return .device }
    if arguments.has("no-browser") { return .browser }
    return Browser.isThere ? .browser : .device
  }

  private static func logout(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let name = try arguments.single("SSO-SESSION", required: false)
    guard name == nil || !arguments.has("all") else { throw Failure("a name and --all cannot be combined", exitStatus: .usage) }
    switch try AgentClient(paths: paths).ask(LogoutRequest { ($0.name, $0.all) = (name, arguments.has("all")) }) {
    case 0: Diagnostics.notice("not signed in")
    case 1: Diagnostics.notice("signed out")
    case let count: Diagnostics.notice("signed out of \(count) sso-sessions")
    }
  }
}
