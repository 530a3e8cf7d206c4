import Glibc
import VaultBytes
import VaultDatabase
import VaultModel
import VaultWire

/// `vault login --discover`: lists what a sign-in gives access to, and creates profiles for it.
enum DiscoverCommand {
  static let defaultTemplate = "{account}-{role}"
  /// A message, which is one transaction, takes no more profiles after this many bytes; the last profile may still be long.
  private static let batch = 32 * 1_024

  /// A permission set in an account, and the name of its profile.
  struct Choice: Sendable {
    let account: String
    let accountName: String
    let email: String
    let role: String
    /// For a role that a SAML assertion offers: the role and the identity provider.
    var saml: (role: String, provider: String)?
    var profile = ""
  }

  /// - Parameter session: the `sso-session` of a sign-in that was just made; nil for the one that the arguments name.
  static func run(_ arguments: Arguments, _ paths: VaultPaths, of session: String? = nil) throws {
    let template = try ProfileTemplate(arguments["template"] ?? defaultTemplate)
    let format = try arguments["format"].map { try ReportFormat($0, allowed: [.table, .json, .csv]) }
    var choices: [Choice] = []
    let isSAML = arguments.has("saml") || arguments.has("saml-process")
    let name = try session ?? arguments.single("SSO-SESSION", required: false)
    var client = AgentClient(paths: paths, opensBrowser: !arguments.has("no-browser"))
    client.onEntry = { message in
      let entry: AccountEntry = try message.value()
      for role in entry.roles {
        choices.append(Choice(account: entry.id, accountName: entry.name ?? "", email: entry.email ?? "", role: role))
      }
    }
    var place: DiscoveredPlace?
    if isSAML {
      choices = try client.ask(SAMLRolesRequest { $0.command = arguments["saml-process"] }).map { found in
        let name = found.role[found.role.index(after: found.role.lastIndex(of: "/") ?? found.role.startIndex)...]
        return Choice(
          account: found.account, accountName: "", email: "", role: String(name), saml: (found.role, found.provider))
      }
    } else {
      place = try client.ask(DiscoverRequest { ($0.name, $0.flow) = (name, LoginCommands.flow(arguments)) })
    }
    choices.sort { ($0.accountName, $0.account, $0.role) < ($1.accountName, $1.account, $1.role) }
    template.name(&choices)
    let accounts = Set(choices.map(\.account)).count
    Diagnostics.notice(
      "\(choices.count) \(isSAML ? "role" : "permission set")\(choices.count == 1 ? "" : "s") in \(accounts) account\(accounts == 1 ? "" : "s")"
    )
    if let format { return show(choices, format, isWide: arguments.has(Table.wideOption.name)) }
    guard let chosen = try choose(choices, arguments) else {
      if let session { NextStep.tell("vault login \(ShellText.word(session)) --discover") }
      throw ProfilePicker.Left()
    }
    try make(chosen, of: place, arguments: arguments, paths: paths)
    if let first = chosen.first { NextStep.tell(NextStep.exec(first.profile)) }
  }

  private static func show(_ choices: [Choice], _ format: ReportFormat, isWide: Bool) {
    var output = Output()
    switch format {
    case .json, .jsonl:
      var writer = JSONWriter()
      writer.array { writer in
        for choice in choices {
          writer.newLine()
          writer.object {
            $0.field("accountId", choice.account)
            $0.field("accountName", choice.accountName)
            $0.field("email", choice.email)
            $0.field("roleName", choice.role)
            $0.field("profile", choice.profile)
          }
        }
      }
      output.write(bytes: writer.consume())
      output.write("\n")
    case .csv:
      output.line("accountId,accountName,email,roleName,profile")
      for choice in choices {
        output.line(csvRow([choice.account, choice.accountName, choice.email, choice.role, choice.profile]))
      }
    case .table:
      var table = Table(
        [.whole("ACCOUNT"), .name("NAME", rank: 1, least: 12), .name("PERMISSION SET", least: 14), .name("PROFILE")],
        isWide: isWide)
      for choice in choices { table.add([choice.account, choice.accountName, choice.role, choice.profile]) }
      table.write(to: &output)
    }
    output.flush()
  }

  /// - Returns: nil if the person left.
  private static func choose(_ choices: [Choice], _ arguments: Arguments) throws -> [Choice]? {
    if arguments.has("all") || choices.isEmpty { return choices }
    guard isatty(0) == 1, isatty(2) == 1 else {
      throw Failure(
        "cannot ask which profiles to create without a terminal", hint: "--all creates all of them, --format table lists them",
        exitStatus: .usage)
    }
    var texts = SearchedTexts()
    for choice in choices {
      texts.add(name: choice.profile.utf8, details: "  \(choice.account)  \(choice.accountName)  \(choice.role)".utf8)
    }
    let screen = ChoiceScreen(question: "profiles to create") { index, columns in
      let choice = choices[index]
      return DisplayWidth.cut(
        safeText("\(choice.profile)  \(choice.account)  \(choice.accountName)  \(choice.role)"), to: columns)
    } footer: { list in
      "\(list.marked.count) of \(choices.count); Tab selects, Enter confirms, Esc cancels"
    }
    return screen.choose(ChoiceList(texts, takesSeveral: true))?.map { choices[$0] }
  }

  private static func make(_ choices: [Choice], of place: DiscoveredPlace?, arguments: Arguments, paths: VaultPaths) throws {
    let known = Set(try VaultReader(path: paths.database).profileNames())
    func settings(of choice: Choice) -> [String] {
      if let saml = choice.saml {
        return ["role_arn=\(saml.role)", "saml_provider_arn=\(saml.provider)"]
          + (arguments["saml-process"].map { ["saml_process=\($0)"] } ?? [])
          + (arguments["region"].map { ["region=\($0)"] } ?? [])
      }
      guard let place else { return [] }
      return
        (place.isSession
        ? ["sso_session=\(place.name)"] : ["sso_start_url=\(place.startURL)", "sso_region=\(place.region)"])
        + ["sso_account_id=\(choice.account)", "sso_role_name=\(choice.role)", "region=\(arguments["region"] ?? place.region)"]
    }
    let new = choices.filter { !known.contains($0.profile) }
    var rest = new[...]
    while !rest.isEmpty {
      var changes: [ProfileChange] = []
      var length = 0
      while let choice = rest.first, length < Self.batch {
        let change = ProfileChange { ($0.name, $0.set) = (choice.profile, settings(of: choice)) }
        changes.append(change)
        length += change.set.reduce(change.name.utf8.count + 64) { $0 + $1.utf8.count }
        rest.removeFirst()
      }
      _ = try AgentClient(paths: paths).ask(.putProfiles(changes))
    }
    let made = new.count
    let left = choices.count - made
    Diagnostics.notice("\(made) \(made == 1 ? "profile" : "profiles") created" + (left > 0 ? ", \(left) already existed" : ""))
  }
}
