import VaultModel

/// The page's section for each run of `exec --automation`.
enum HTMLReportAutomation {
  static func write(_ runs: [AutomationRuns.Run], omitted: Int, _ html: inout HTMLWriter) {
    guard !runs.isEmpty else { return }
    html.markup("<section aria-labelledby=\"automation\">\n<h2 id=\"automation\">Automation runs</h2>\n")
    html.markup("<p class=\"note\">What each process tree of <code>exec --automation</code> was given and did; ")
    html.markup("all profiles, regardless of the filters above</p>\n")
    if omitted > 0 {
      html.markup("<p class=\"note\">The newest ")
      html.number(runs.count)
      html.markup(" runs; narrow the report with <code>--automation</code> or <code>--since</code> for the others.</p>\n")
    }
    html.markup("</section>\n")
    for (number, run) in runs.enumerated() { section(run, number: number, &html) }
  }

  private static func section(_ run: AutomationRuns.Run, number: Int, _ html: inout HTMLWriter) {
    html.markup("<section class=\"run\" aria-labelledby=\"run-")
    html.number(number)
    html.markup("\">\n<h2 id=\"run-")
    html.number(number)
    html.markup("\">")
    html.text(run.name)
    html.markup(" <small>")
    html.text(run.id)
    html.markup("</small></h2>\n<dl class=\"facts\">\n")
    facts(run, &html)
    html.markup("</dl>\n")
    grants(run, number: number, &html)
    if !run.refusals.isEmpty { refusals(run, number: number, &html) }
    if let uses = run.uses { calls(uses, of: run, number: number, &html) }
    html.markup("</section>\n")
  }

  private static func fact(_ name: StaticString, _ html: inout HTMLWriter, value: (inout HTMLWriter) -> Void) {
    html.markup("<div><dt>")
    html.markup(name)
    html.markup("</dt><dd>")
    value(&html)
    html.markup("</dd></div>\n")
  }

  private static func facts(_ run: AutomationRuns.Run, _ html: inout HTMLWriter) {
    fact("Began", &html) { html in
      html.time(run.began ?? run.first)
      if run.began == nil { html.markup(" <small>or before</small>") }
    }
    fact("Ended", &html) { html in
      if let ended = run.ended {
        html.time(ended)
      } else {
        html.markup("not yet, last seen ")
        html.time(run.last)
      }
    }
    fact("By", &html) { html in
      html.text("\(run.user), \(run.host)")
      if let vault = run.vault { html.text(", \(vault)") }
    }
    fact("Root", &html) { html in html.text("process \(run.rootPid)" + (run.program.map { ", \($0)" } ?? "")) }
    if let text = run.scope { fact("Scope", &html) { html in scope(text, &html) } }
    fact("Asked", &html) { html in html.text("\(HTMLReportCharts.grouped(run.asked))×") }
    fact("Refused", &html) { html in html.text("\(HTMLReportCharts.grouped(run.refused))×") }
    fact("Confirmed by a person", &html) { html in html.text("\(HTMLReportCharts.grouped(run.confirmed))×") }
    for revocation in run.revocations.prefix(10) {
      fact("Revoked", &html) { html in
        html.time(revocation.time)
        html.text(" by \(revocation.user)" + (revocation.isInAWS ? ", in AWS" : "") + ": \(revocation.detail)")
      }
    }
    if run.revocations.count > 10 { fact("Revoked", &html) { html in html.text("\(run.revocations.count - 10) more times") } }
  }

  private static func scope(_ text: String?, _ html: inout HTMLWriter) {
    guard let text else { return html.markup("–") }
    html.markup("<code>")
    html.text(text)
    html.markup("</code>")
  }

  private static func begin(
    _ name: StaticString, number: Int, caption: StaticString, columns: [(StaticString, isNumber: Bool)],
    _ html: inout HTMLWriter
  ) {
    html.markup("<div class=\"wide\" tabindex=\"0\" role=\"region\" aria-label=\"")
    html.markup(name)
    html.markup(" of run ")
    html.number(number + 1)
    html.markup("\">\n<table>\n<caption>")
    html.markup(caption)
    html.markup("</caption>\n<thead><tr>")
    for (title, isNumber) in columns {
      if isNumber { html.markup("<th scope=\"col\" class=\"n\">") } else { html.markup("<th scope=\"col\">") }
      html.markup(title)
      html.markup("</th>")
    }
    html.markup("</tr></thead>\n<tbody>\n")
  }

  private static func end(_ columns: Int, note: String?, _ html: inout HTMLWriter) {
    if let note {
      html.markup("<tr><td class=\"nothing\" colspan=\"")
      html.number(columns)
      html.markup("\">")
      html.text(note)
      html.markup("</td></tr>\n")
    }
    html.markup("</tbody>\n</table>\n</div>\n")
  }

  private static func grants(_ run: AutomationRuns.Run, number: Int, _ html: inout HTMLWriter) {
    begin(
      "Credentials", number: number, caption: "What it was given",
      columns: [
        ("Profile", false), ("Role", false), ("Scope", false), ("Access keys", false), ("Until", false), ("Handed out", true),
      ], &html)
    for grant in run.grants.sorted(by: { ($0.deliveries, $1.profile) > ($1.deliveries, $0.profile) }) {
      html.markup("<tr><th scope=\"row\">")
      html.text(grant.profile)
      html.markup("</th><td>")
      if let role = grant.roleARN { HTMLReportTables.role(role, &html) } else { html.markup("–") }
      html.markup("</td><td>")
      scope(grant.scope, &html)
      html.markup("</td><td>")
      html.text(
        grant.keys.prefix(20).joined(separator: ", ") + (grant.keys.count > 20 ? " and \(grant.keys.count - 20) more" : ""))
      html.markup("</td><td>")
      if let until = grant.until { html.time(until) } else { html.markup("–") }
      html.markup("</td><td class=\"n\">")
      html.number(grant.deliveries)
      html.markup("×</td></tr>\n")
    }
    let more = [
      run.moreGrants > 0 ? "\(run.moreGrants) deliveries of other profiles or scopes" : nil,
      run.moreKeys > 0 ? "\(run.moreKeys) deliveries of other access keys" : nil,
    ].compactMap { $0 }
    end(6, note: run.grants.isEmpty ? "Nothing." : more.isEmpty ? nil : "And " + more.joined(separator: ", ") + ".", &html)
  }

  private static func refusals(_ run: AutomationRuns.Run, number: Int, _ html: inout HTMLWriter) {
    begin(
      "Refusals", number: number, caption: "What it was refused, or what failed",
      columns: [("Cause", false), ("Times", true), ("Last", false)], &html)
    for (cause, tally) in run.refusals.sorted(by: { ($0.value.failures, $1.key) > ($1.value.failures, $0.key) }) {
      html.markup("<tr><th scope=\"row\">")
      html.text(cause)
      html.markup("</th><td class=\"n\">")
      html.number(tally.failures)
      html.markup("</td><td>")
      if let last = tally.last { html.time(last) }
      html.markup("</td></tr>\n")
    }
    end(3, note: nil, &html)
  }

  private static func calls(
    _ uses: [String: AutomationRuns.Use], of run: AutomationRuns.Run, number: Int, _ html: inout HTMLWriter
  ) {
    begin(
      "CloudTrail", number: number, caption: "What CloudTrail saw its access keys do",
      columns: [("Call", false), ("Times", true), ("Refused or failed", true), ("Last", false)], &html)
    for (call, use) in uses.sorted(by: { ($0.value.count, $1.key) > ($1.value.count, $0.key) }) {
      html.markup("<tr><th scope=\"row\">")
      html.text(call)
      html.markup("</th><td class=\"n\">")
      html.number(use.count)
      html.markup("</td><td class=\"n\">")
      html.number(use.failures)
      html.markup("</td><td>")
      html.time(use.last)
      html.markup("</td></tr>\n")
    }
    let shared = run.shared.prefix(20).joined(separator: ", ") + (run.shared.count > 20 ? ", …" : "")
    let note = run.shared.isEmpty ? nil : "Delivered to others too, so these calls may be theirs: \(shared)"
    end(4, note: uses.isEmpty ? "Nothing." + (note.map { " \($0)" } ?? "") : note, &html)
  }
}
