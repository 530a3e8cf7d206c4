import AWSConfig
import VaultBytes
import VaultDatabase
import VaultModel

/// `vault guard`: the rules on who gets what.
///
/// The rules are read here as the agent reads them: from the files, at once.
enum GuardCommand {
  static let formats = [OptionSpec("format", value: "FORMAT", kind: .words(["table", "json"]), "table or json")]

  static let all = [
    Command(
      "guard list", topic: .setUp,
      summary: "list the rules that guard profiles, and what is wrong with them",
      examples: [
        Example("vault guard list", "every rule, with its file and line"),
        Example("vault guard list --format json", "the same for a program"),
      ], options: formats + [Table.wideOption], run: list),
    Command(
      "guard check", arguments: [.profile], topic: .setUp,
      summary: "show which rules apply to a profile, and what they demand",
      examples: [
        Example("vault guard check app-dev", "what a session of app-dev takes"),
        Example("vault guard check app-dev --format json", "the same for a program"),
      ], options: formats, run: check),
    ApproveCommand.command,
  ]

  static func rules(_ paths: VaultPaths) -> GuardRules { .read(paths.guardFiles, home: variable("HOME")) }

  /// What the rules say about profiles, as the agent decides it.
  final class Decisions {
    let rules: GuardRules
    private let reader: VaultReader
    private lazy var profiles = ProfilesByRole((try? reader.profileNames()) ?? [], roleARNs: roleARNs(of:))

    init(_ rules: GuardRules, _ reader: VaultReader) { (self.rules, self.reader) = (rules, reader) }

    /// - Parameter role: the role that it gives, if that is known already.
    func decision(for profile: String, role: String? = nil) -> GuardDecision {
      let roleARNs = role.map { [$0] } ?? roleARNs(of: profile)
      let isNamed = rules.dependsOnNames(profile: profile, roleARNs: roleARNs)
      return rules.decision(profile: profile, roleARNs: roleARNs, otherNames: isNamed ? profiles.names(of: roleARNs) : [])
    }

    /// A profile that leads to no credentials is known by its name alone.
    private func roleARNs(of profile: String) -> [String] {
      let resolver = ChainResolver(lookup: { [reader] kind, name in try? reader.section(kind, name) }, environment: variable)
      return (try? resolver.chain(for: profile))?.deliveredRoleARNs ?? []
    }
  }

  // MARK: list

  private static func list(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json])
    let rules = rules(paths).rules
    var output = Output()
    if format == .json {
      var writer = JSONWriter()
      writer.array { writer in
        for rule in rules {
          writer.newLine()
          writer.object { writer in
            writer.field("section", rule.section)
            writer.field("pattern", rule.glob.text)
            writer.field("file", rule.origin.file)
            writer.field("line", rule.origin.line)
            limits(rule.limits, to: &writer)
            faults(rule.faults, to: &writer)
          }
        }
      }
      output.write(bytes: writer.consume())
      output.write("\n")
    } else {
      var table = Table(
        [.name("GUARDS"), .whole("SETTING"), .text("VALUE"), .name("FROM", rank: 1)], isWide: arguments.has(Table.wideOption.name)
      )
      for rule in rules {
        let settings = GuardKey.allCases.compactMap { key in rule.limits.text(of: key).map { (key, $0) } }
        for (key, value) in settings {
          table.add([
            rule.glob.text, key.rawValue, value + (rule.isFault(key) ? "  (fault)" : ""), rule.line(of: key).description,
          ])
        }
        if settings.isEmpty { table.add([rule.glob.text, "-", "demands nothing", rule.origin.description]) }
      }
      table.write(to: &output)
    }
    output.flush()
    if rules.isEmpty, format == .table {
      Diagnostics.notice("no rules; they stand in [guard GLOB] sections of \(paths.guardFiles.joined(separator: " and "))")
    }
    for fault in rules.flatMap(\.faults) { Diagnostics.notice("\(fault)") }
    for fault in GuardRules.exposed(paths.guardFiles, home: variable("HOME")) { Diagnostics.notice("\(fault)") }
  }

  // MARK: check

  private static func check(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let name = try arguments.profile(paths)
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json])
    let reader = try ReportCommands.reader(paths)
    try ShowReport.requireProfile(name, reader)
    let decision = Decisions(rules(paths), reader).decision(for: name)
    var output = Output()
    if format == .json {
      var writer = JSONWriter()
      writer.object { writer in
        writer.field("profile", name)
        writer.key("rules")
        writer.array { writer in
          for rule in decision.rules {
            writer.object { writer in
              writer.field("section", rule.section)
              writer.field("file", rule.origin.file)
              writer.field("line", rule.origin.line)
              faults(rule.faults, to: &writer)
            }
          }
        }
        limits(decision.limits, to: &writer)
      }
      output.write(bytes: writer.consume())
      output.write("\n")
    } else {
      func fact(_ name: String, _ text: String) {
        output.words(
          text, first: DisplayWidth.padded(name, to: 14), indent: String(repeating: " ", count: 14), longWords: .whole)
      }
      fact("profile", name)
      if decision.rules.isEmpty { fact("rules", "none: the profile is not guarded") }
      for (number, rule) in decision.rules.enumerated() { fact(number == 0 ? "rules" : "", "[\(rule.section)]  \(rule.origin)") }
      for key in GuardKey.allCases {
        guard let value = decision.limits.text(of: key) else { continue }
        let deciding = decision.rules.filter { $0.limits.text(of: key) != nil }.map { $0.line(of: key).description }
        fact(key.rawValue, "\(value)  (\(deciding.joined(separator: ", ")))")
      }
    }
    output.flush()
    for fault in decision.rules.flatMap(\.faults) { Diagnostics.notice("\(fault)") }
  }

  // MARK: JSON

  private static func faults(_ faults: [GuardFault], to writer: inout JSONWriter) {
    writer.key("faults")
    writer.array { writer in
      for fault in faults {
        writer.object { writer in
          writer.field("file", fault.origin.file)
          writer.field("line", fault.origin.line)
          writer.field("text", fault.text)
        }
      }
    }
  }

  private static func limits(_ limits: GuardLimits, to writer: inout JSONWriter) {
    writer.field("confirm", limits.confirm.text)
    writer.field("reason", limits.isReasonRequired ? "required" : "optional")
    writer.field("reasonTagged", limits.isReasonTagged)
    writer.field("hours", limits.hours?.text)
    writer.key("commands")
    if let commands = limits.commands {
      writer.array { writer in for entry in commands.entries { writer.string(entry) } }
    } else {
      writer.null()
    }
    writer.field("maxDuration", limits.maxDuration)
    writer.field("scope", limits.text(of: .scope))
    writer.field("automation", limits.automation?.text ?? "read-only")
    writer.field("automationConfirmed", limits.automation.map { $0.isConfirmed && !$0.isRefused } ?? false)
    writer.field("runTags", limits.isRunTagged)
  }
}
