import VaultAudit
import VaultBytes
import VaultDatabase
import VaultModel
import VaultSecrets

/// `vault audit report`: the log as one self-contained page that needs neither files nor a network.
enum HTMLReport {
  static let command = Command(
    "audit report", topic: .audit,
    summary: "write the audit log as an HTML page: sessions, calls, failures, unused profiles",
    examples: [
      Example("vault audit report --html audit.html", "the whole log as a page"),
      Example("vault audit report --html week.html --since 7d", "the last week"),
      Example("vault audit report --html a.html --cloudtrail trail.json", "and what automation runs did"),
    ],
    options: AuditReport.filters + TeamSource.options + [
      OptionSpec("html", value: "FILE", kind: .file, "write the page to FILE atomically (mode 0600)"),
      OptionSpec(
        "cloudtrail", value: "FILE", kind: .file,
        "show what CloudTrail saw each automation run do (files as for `audit reconcile`; repeatable)"),
    ], run: run)

  private static func run(_ arguments: Arguments, _ paths: VaultPaths) throws {
    try arguments.none()
    guard let path = arguments["html"] else {
      throw Failure("missing option: --html", hint: "--html FILE", exitStatus: .usage)
    }
    let now = SystemClock().now()
    let filter = try AuditReport.filter(arguments, now: now)
    let trails = arguments.all("cloudtrail")
    for file in trails { try existingPath(file) }
    let source = try TeamSource.figures(arguments, filter: filter, paths: paths)
    var runs = AutomationRuns()
    if let team = source as? TeamFigures { team.observe = { runs.add($0) } }
    let data = try HTMLReportData(source, filter, now: now)
    if let reader = source as? VaultReader { try collect(&runs, from: reader, filter) }
    let found =
      try trails.isEmpty
      ? runs.all()
      : runs.reconciled(with: source) { body in
        for file in trails { try CloudTrail.forEach(file, body) }
      }
    let file = try NewFile(path)
    var html = HTMLWriter(descriptor: file.descriptor)
    head(&html)
    html.markup("<body>\n<header>\n<h1>Audit report</h1>\n<p>")
    html.time(data.from)
    html.markup(" to ")
    html.time(data.to)
    html.markup(" UTC, created ")
    html.time(now)
    html.markup(" by vault ")
    html.text(vaultVersion)
    html.markup("</p>\n")
    asked(arguments, &html)
    html.markup("<div id=\"filters\"></div>\n</header>\n<main>\n")
    HTMLReportCharts.write(data, &html)
    HTMLReportTables.write(data, at: now, &html)
    let isAsked = !trails.isEmpty || filter.automation != nil || filter.run != nil
    HTMLReportAutomation.write(found, of: runs, isAsked: isAsked, &html)
    html.markup("</main>\n<script type=\"application/json\" id=\"data\">")
    html.json(json(data))
    html.markup("</script>\n<script>")
    html.verbatim(PackageResources.report_js)
    html.markup("</script>\n</body>\n</html>\n")
    try html.finish()
    try file.putInPlace()
  }

  /// The rows of runs, of agents outside of one, and of what was revoked by whom, which are a person's.
  private static func collect(_ runs: inout AutomationRuns, from reader: VaultReader, _ filter: AuditFilter) throws {
    try reader.forEachAutomationLine(filter) { runs.add($0) }
    var revocations = AuditFilter()
    (revocations.since, revocations.until) = (filter.since, filter.until)
    for action in [AuditAction.revoked, .revokedInAWS] {
      revocations.action = action
      try reader.forEachAuditLine(revocations) { if $0.hasNoAutomation { runs.add($0) } }
    }
  }

  /// The policy comes first in the page: nothing is loaded, and only this exact style and script are allowed.
  private static func head(_ html: inout HTMLWriter) {
    html.markup(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" content=\""
    )
    html.text("default-src 'none'; style-src 'sha256-\(digest(PackageResources.report_css))'; ")
    html.text("script-src 'sha256-\(digest(PackageResources.report_js))'; base-uri 'none'; form-action 'none'")
    html.markup("\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
    html.markup("<meta name=\"referrer\" content=\"no-referrer\">\n<meta name=\"color-scheme\" content=\"light dark\">\n")
    html.markup("<title>vault: audit report</title>\n<style>")
    html.verbatim(PackageResources.report_css)
    html.markup("</style>\n</head>\n")
  }

  /// The filters given to the command.
  private static func asked(_ arguments: Arguments, _ html: inout HTMLWriter) {
    let given = (AuditReport.filters + TeamSource.options.dropFirst()).compactMap { option in
      arguments[option.name].map { "--\(option.name) \($0)" }
    }
    guard !given.isEmpty else { return }
    html.markup("<p>Only <code>")
    html.text(given.joined(separator: " "))
    html.markup("</code></p>\n")
  }

  /// The data that the script sums up again when a filter is chosen: the names, and the counts by bucket, profile, role and user.
  private static func json(_ data: HTMLReportData) -> [UInt8] {
    var writer = JSONWriter()
    writer.object { writer in
      for (key, names) in [("profiles", data.profileNames), ("roles", data.roleNames), ("users", data.userNames)] {
        writer.key(key)
        writer.array { writer in for name in names.names { writer.string(safeText(name)) } }
      }
      writer.key("buckets")
      writer.array { writer in for bucket in 0..<data.bucketCount { writer.string(data.start(ofBucket: bucket).shown) } }
      writer.key("cells")
      writer.array { writer in
        for (cell, tally) in data.cells.sorted(by: { $0.key.bucket < $1.key.bucket }) {
          writer.array { writer in
            for value in [cell.bucket, cell.profile, cell.role, cell.user, tally.calls, tally.deliveries, tally.failures] {
              writer.number(Int64(value))
            }
          }
        }
      }
    }
    return writer.consume()
  }

  /// SHA-256 in Base64, the form in which a Content Security Policy names an inline element (CSP Level 3, 2.3.1).
  private static func digest(_ bytes: [UInt8]) -> String { Base64.encoded(sha256(bytes)) }
}
