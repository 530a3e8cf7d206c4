import VaultModel

/// The page's tables.
enum HTMLReportTables {
  static func write(_ data: HTMLReportData, at now: Timestamp, _ html: inout HTMLWriter) {
    html.markup("<div class=\"columns\">\n")
    longest(data, &html)
    failures(data, &html)
    unused(data, &html)
    neverAssumed(data, &html)
    html.markup("</div>\n")
  }

  /// A role's name, with its account below; text that is not an ARN is shown unchanged.
  static func role(_ arn: String, _ html: inout HTMLWriter) {
    let parts = arn.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
    guard parts.count == 6, parts[0] == "arn", parts[5].hasPrefix("role/") else {
      return html.text(arn == "(none)" ? "no role" : arn)
    }
    html.markup("<span title=\"")
    html.text(arn)
    html.markup("\">")
    html.text(String(parts[5].dropFirst(5)))
    html.markup("</span> <small>")
    html.text(String(parts[4]))
    html.markup("</small>")
  }

  /// A section with one table.
  ///
  /// - Parameter more: the number of rows not shown.
  private static func section(
    _ id: StaticString, title: StaticString, caption: StaticString, columns: [HTMLWriter.Column], isEmpty: Bool, more: Int = 0,
    _ html: inout HTMLWriter, rows: (inout HTMLWriter) -> Void
  ) {
    html.section(id, title: title)
    html.table(
      .heading(id), caption: caption, columns, note: isEmpty ? "None." : more > 0 ? "And \(more) more." : nil, rows: rows)
    html.markup("</section>\n")
  }

  private static func longest(_ data: HTMLReportData, _ html: inout HTMLWriter) {
    section(
      "longest", title: "Longest-lived sessions",
      caption: "The longest session of each profile, from its issue to its expiration or early end",
      columns: [.text("Profile"), .number("Lived"), .text("From"), .number("Handed out")], isEmpty: data.longest.isEmpty, &html
    ) { html in
      for bar in data.longest {
        html.markup("<tr data-p=\"")
        html.number(bar.profile)
        html.markup("\" data-r=\"")
        html.number(bar.role)
        html.markup("\" data-u=\"")
        html.number(bar.user)
        html.markup("\"><th scope=\"row\">")
        html.text(bar.session.profile)
        html.markup("</th><td class=\"n\">")
        html.text(TimeText.length(seconds: bar.session.endsAt.since(bar.session.issuedAt) / 1_000))
        html.markup("</td><td>")
        html.time(bar.session.issuedAt)
        html.markup("</td><td class=\"n\">")
        html.number(Int(bar.session.deliveries))
        html.markup("×</td></tr>\n")
      }
    }
  }

  /// A row for each cause of refusals and failures.
  static func causeRows(_ causes: some Sequence<AuditStatistics.Named>, _ html: inout HTMLWriter) {
    for (cause, tally) in causes {
      html.markup("<tr><th scope=\"row\">")
      html.text(cause)
      html.markup("</th><td class=\"n\">")
      html.number(tally.failures)
      html.markup("</td><td>")
      if let last = tally.last { html.time(last) }
      html.markup("</td></tr>\n")
    }
  }

  private static func failures(_ data: HTMLReportData, _ html: inout HTMLWriter) {
    let all = data.statistics.causes
    let causes = all.prefix(12)
    section(
      "failures", title: "Failures by cause",
      caption: "AWS's error code if there was one; all profiles, regardless of the filters above",
      columns: [.text("Cause"), .number("Times"), .text("Last")], isEmpty: causes.isEmpty, more: all.count - causes.count, &html
    ) { html in
      causeRows(causes, &html)
    }
  }

  private static func unused(_ data: HTMLReportData, _ html: inout HTMLWriter) {
    let all = data.unusedProfiles
    let profiles = all.prefix(500)
    section(
      "unused", title: "Unused profiles", caption: "No credentials were delivered in this period",
      columns: [.text("Profile"), .text("Role"), .text("Last used")], isEmpty: profiles.isEmpty, more: all.count - profiles.count,
      &html
    ) { html in
      for profile in profiles {
        html.markup("<tr><th scope=\"row\">")
        html.text(profile.name)
        html.markup(" <small>")
        html.text(profile.origin)
        html.markup("</small></th><td>")
        if let arn = profile.roleARN { role(arn, &html) } else { html.markup("–") }
        html.markup("</td><td>")
        if let last = profile.lastUsedAt { html.time(last) } else { html.markup("never") }
        html.markup("</td></tr>\n")
      }
    }
  }

  private static func neverAssumed(_ data: HTMLReportData, _ html: inout HTMLWriter) {
    let all = data.rolesNeverAssumed
    let roles = all.prefix(500)
    section(
      "never", title: "Roles never assumed", caption: "Profiles lead to these roles, but they never had a session",
      columns: [.text("Role"), .text("Profile")], isEmpty: roles.isEmpty, more: all.count - roles.count, &html
    ) { html in
      for (arn, profiles) in roles {
        html.markup("<tr><th scope=\"row\">")
        role(arn, &html)
        html.markup("</th><td>")
        html.text(profiles.joined(separator: ", "))
        html.markup("</td></tr>\n")
      }
    }
  }
}
