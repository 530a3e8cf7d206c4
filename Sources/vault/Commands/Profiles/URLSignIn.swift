import Glibc
import VaultBytes
import VaultModel
import VaultWire

/// `vault login URL`: from a start URL to the first profiles, without a line of configuration.
enum URLSignIn {
  static func isURL(_ word: String) -> Bool {
    let word = word.lowercased()
    return word.hasPrefix("https://") || word.hasPrefix("http://")
  }

  /// The URL that a person means by a word: `corp.awsapps.com/start` too.
  static func url(_ word: String) -> String? {
    if isURL(word) { return word }
    let host = word.prefix { $0 != "/" }
    return host.contains(".") && (host.count < word.count || host.hasSuffix(".awsapps.com")) ? "https://" + word : nil
  }

  static func run(url: String, _ arguments: Arguments, _ paths: VaultPaths) throws {
    for name in ["adopt", "saml", "saml-process"] where arguments.has(name) {
      throw Failure("--\(name) cannot be combined with a URL", exitStatus: .usage)
    }
    let session = try add(url, region: arguments["sso-region"], paths: paths)
    if session.isNew { Diagnostics.notice("sso-session \(session.name): \(session.startURL) in \(session.region ?? "")") }
    if session.isNew, let other = session.other, let region = session.otherRegion {
      Diagnostics.notice(
        "\(other) has the same start URL in \(region); to undo this: \(ProgramName.renaming("vault remove")) \(ShellText.word(session.name))"
      )
    }
    do {
      // With the wrong region, each further attempt would fail as well: a new sso-session is removed.
      try LoginCommands.signIn(to: session.name, isFirst: session.isNew, arguments, paths)
    } catch {
      let failure = Failure(error)
      throw Failure(
        failure.message,
        hint: failure.hint ?? "is the IAM Identity Center in \(session.region ?? "")? --sso-region names another",
        exitStatus: failure.exitStatus)
    }
    guard arguments.has("all") || arguments.has("format") || Dialogue.isPossible else {
      return NextStep.tell("vault login \(ShellText.word(session.name)) --discover --all")
    }
    try DiscoverCommand.run(arguments, paths, of: session.name)
  }

  /// The `sso-session` for a start URL; makes one if none is there.
  ///
  /// - Parameter region: nil to find it: in the URL, else from the person.
  static func add(
    _ url: String, region: String?, scopes: String? = nil, name: String? = nil, paths: VaultPaths
  ) throws -> AddedSignIn {
    func ask(_ region: String?) throws -> AddedSignIn {
      try AgentClient(paths: paths).ask(
        AddSignInRequest { ($0.url, $0.region, $0.scopes, $0.name) = (url, region, scopes, name) })
    }
    let found = try ask(region)
    guard found.region == nil else { return found }
    guard let region = try askRegion(of: found.startURL) else {
      throw Failure(
        "the region of \(found.startURL) is not in its name", hint: "ask your administrator, and add --sso-region REGION",
        exitStatus: .usage)
    }
    return try ask(region)
  }

  /// The region from the person; nil without one.
  private static func askRegion(of url: String) throws(Failure) -> String? {
    guard Dialogue.isPossible else { return nil }
    let usual = ["AWS_REGION", "AWS_DEFAULT_REGION"].compactMap { variable($0) }.first { Partition.isRegionName($0) }
    let question = "Region of the IAM Identity Center of \(url)" + (usual.map { " [\($0)]" } ?? ", such as eu-central-1") + ":"
    for _ in 0..<3 {
      guard let answer = Dialogue.ask(question) else { throw Failure("interrupted", exitStatus: .refused) }
      let region = answer.isEmpty ? usual ?? "" : answer.lowercased()
      if Partition.isRegionName(region) { return region }
      Diagnostics.notice("\"\(region)\" is not the name of a region")
    }
    throw Failure(
      "the region of the IAM Identity Center is needed to sign in, and nothing was changed",
      hint: "your administrator knows it; then add --sso-region REGION", exitStatus: .usage)
  }
}
