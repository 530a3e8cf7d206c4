import AWSPolicy
import VaultBytes
import VaultModel
import VaultWire

/// `vault iam check`: what an account has, compared with what a profile needs.
enum CheckCommand {
  static let command = Command(
    "iam check", arguments: [.profile], topic: .account,
    summary: "compare the AWS account with what a profile needs",
    examples: [
      Example("vault iam check app-dev", "look at the account as app-dev"),
      Example("vault iam check app-dev --with admin", "look at it as the profile admin"),
    ],
    options: [
      OptionSpec("with", value: "PROFILE", kind: .profile, "read the account as this profile, such as an administrator's"),
      OptionSpec("format", value: "FORMAT", kind: .words(["table", "json"]), "table (default) or json"),
      OptionSpec("mfa-code", value: "CODE", "the code of the MFA device"),
      OptionSpec("reason", value: "TEXT", "the reason, recorded in the audit log"),
    ], run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    let profile = try arguments.profile(paths)
    let format = try ReportFormat(arguments["format"], allowed: [.table, .json])
    let reply = try AgentClient(paths: paths).ask(
      IAMCheckRequest(arguments, profile: profile, reader: arguments["with"]))
    guard let findings = Finding.read(reply.withBytes { String(decoding: $0, as: UTF8.self) }) else {
      throw Failure("the agent's reply cannot be read", exitStatus: .software)
    }
    var output = Output()
    if format == .json {
      let report = JSONValue.object([JSONMember("profile", .string(profile)), JSONMember("findings", Finding.json(findings))])
      output.line(report.compact())
    } else {
      table(findings, to: &output)
    }
    output.flush()
    let differing = findings.count { $0.state == .differs }
    guard differing == 0 else {
      throw Failure(
        "\(profile): \(summary(findings))", hint: unknown(findings), exitStatus: .badData)
    }
    if findings.contains(where: { $0.state == .unknown }) {
      Diagnostics.notice("\(profile): \(summary(findings))" + (unknown(findings).map { "; " + $0 } ?? ""))
    }
  }

  /// `10 checks, 2 differ, 1 unknown`
  static func summary(_ findings: [Finding]) -> String {
    let differing = findings.count { $0.state == .differs }
    let unknown = findings.count { $0.state == .unknown }
    return "\(findings.count) checks" + (differing == 0 ? "" : ", \(differing) differ\(differing == 1 ? "s" : "")")
      + (unknown == 0 ? "" : ", \(unknown) unknown")
  }

  private static func unknown(_ findings: [Finding]) -> String? {
    let missing = Set(findings.compactMap(\.missingPermission)).sorted()
    return missing.isEmpty ? nil : "not allowed to look without \(missing.joined(separator: ", "))"
  }

  private static func table(_ findings: [Finding], to output: inout Output) {
    for finding in findings {
      line(finding, to: &output)
    }
    var shown: Set<Finding.Fix> = []
    for case let fix? in findings.map(\.fix) where shown.insert(fix).inserted {
      output.line("")
      // The problems of a trust policy have one repair.
      for finding in findings where finding.fix == fix {
        wrapped("\(finding.check.rawValue): \(finding.detail)", first: "", indent: "", to: &output)
      }
      if let document = fix.document { output.document(document.pretty(), indent: "  ") }
      if let terraform = fix.terraform {
        output.line("in Terraform:")
        output.document(terraform, indent: "  ")
      }
    }
  }

  /// One finding in columns, its words wrapped on a terminal.
  private static func line(_ finding: Finding, to output: inout Output) {
    let (state, check) = (finding.state.rawValue, finding.check.rawValue)
    guard Terminal.outputIsTerminal else { return output.line([state, check, safeText(finding.detail)].joined(separator: "\t")) }
    let head = padded(state, 9) + padded(check, 22)
    wrapped(finding.detail, first: head, indent: String(repeating: " ", count: head.count), to: &output)
  }

  private static func wrapped(_ text: String, first: String, indent: String, to output: inout Output) {
    for line in WrappedText.lines(text, first: first, indent: indent) { output.line(safeText(line)) }
  }

  private static func padded(_ text: String, _ width: Int) -> String {
    text + String(repeating: " ", count: max(1, width - text.count))
  }
}

extension IAMCheckRequest {
  /// - Parameters:
  ///   - profile: the profile whose needs are compared.
  ///   - reader: the profile that looks; nil for the profile's own credentials.
  init(_ arguments: Arguments, profile: String, reader: String?) throws(Failure) {
    self.init()
    (self.profile, self.reader) = (profile, reader)
    mfaCode = arguments["mfa-code"].map { WireBytes($0) }
    reason = try arguments.reason()
  }
}
